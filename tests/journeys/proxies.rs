//! A platform that keeps its own proxy: the real nginx asks the gate about every request.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{data::GRACE, site::listen, stage::built};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::journey::{Journey, journeys};

/// How long nginx may take to listen.
const START: Duration = Duration::from_secs(10);

/// What a backend is told, each as `Latchkey-…`.
const TOLD: [&str; 6] = ["User", "Organization", "Application", "Scopes", "Role", "Assertion"];

/// What an operator writes, but for the ports. The backend is nginx as well: it tells what it was told.
const SETTINGS: &str = r#"
daemon off;
master_process off;
pid FOLDER/nginx.pid;
error_log FOLDER/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    server {
        listen 127.0.0.1:PORT;
        location /gate/ { return 404; }
        location = /gate {
            internal;
            proxy_pass http://127.0.0.1:PLATFORM/gate/check/;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-URI $request_uri;
            proxy_set_header X-Forwarded-Method "";
            proxy_set_header X-Forwarded-Uri "";
            proxy_set_header X-Forwarded-For $remote_addr;
        }
        location /v1/ {
            auth_request /gate;
            auth_request_set $latchkey_user $upstream_http_latchkey_user;
            auth_request_set $latchkey_organization $upstream_http_latchkey_organization;
            auth_request_set $latchkey_application $upstream_http_latchkey_application;
            auth_request_set $latchkey_scopes $upstream_http_latchkey_scopes;
            auth_request_set $latchkey_role $upstream_http_latchkey_role;
            auth_request_set $latchkey_assertion $upstream_http_latchkey_assertion;
            proxy_set_header Latchkey-User $latchkey_user;
            proxy_set_header Latchkey-Organization $latchkey_organization;
            proxy_set_header Latchkey-Application $latchkey_application;
            proxy_set_header Latchkey-Scopes $latchkey_scopes;
            proxy_set_header Latchkey-Role $latchkey_role;
            proxy_set_header Latchkey-Assertion $latchkey_assertion;
            proxy_set_header Authorization "";
            proxy_pass http://127.0.0.1:BACKEND;
        }
    }
    server {
        listen 127.0.0.1:BACKEND;
        location / {
            return 200 "$request_uri user [$http_latchkey_user] organization [$http_latchkey_organization] application [$http_latchkey_application] scopes [$http_latchkey_scopes] role [$http_latchkey_role] assertion [$http_latchkey_assertion] token [$http_authorization]";
        }
    }
}
"#;

/// nginx before a backend. It ends with its value.
struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    async fn start(journey: &Journey) -> Result<Self> {
        let folder = journey.stage.folder().join("nginx");
        fs::create_dir(&folder)?;
        let port = async || anyhow::Ok(listen(0).await?.local_addr()?.port());
        let (front, backend) = (port().await?, port().await?);
        let platform =
            url::Url::parse(&journey.stage.platform())?.port().context("the platform has a port")?;
        let settings = SETTINGS
            .replace("FOLDER", &folder.display().to_string())
            .replace("PLATFORM", &platform.to_string())
            .replace("BACKEND", &backend.to_string())
            .replace("PORT", &front.to_string());
        let file = folder.join("nginx.conf");
        fs::write(&file, settings)?;
        let child = Command::new(built("XTASK_NGINX")?)
            .arg("-p")
            .arg(&folder)
            .arg("-e")
            .arg(folder.join("nginx.log"))
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut nginx = Self { child, port: front };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", front)).await.is_err() {
            let ended = nginx.child.try_wait()?;
            let log = fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
            ensure!(ended.is_none() && started.elapsed() < START, "nginx does not listen: {log}");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(nginx)
    }

    /// The status and the whole of the answer.
    async fn ask(&self, method: &str, path: &str, headers: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.context("nginx answers")?, answer))
    }

    async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("nginx does not end")
    }
}

journeys! {
    fn nginx_lets_through_whom_the_gate_lets_through(journey) on Loopback {
        journey.sign_in(GRACE).await?;
        let token = journey.token().await?;
        let nginx = Nginx::start(journey).await?;
        let bearer = format!("Authorization: Bearer {token}\r\n");
        // A client may say whatever it likes under our names, and of what it asked.
        let mut forged = "X-Original-URI: /v1/acme/things\r\nX-Forwarded-Uri: /v1/acme/things\r\n".to_owned();
        for name in TOLD {
            forged += &format!("Latchkey-{name}: forged\r\n");
        }

        let (status, answer) = nginx.ask("GET", "/v1/acme/things/?a=b%2F", &format!("{bearer}{forged}")).await?;
        ensure!(status == 200, "{answer}");
        let told = answer.rsplit("\r\n").next().unwrap_or_default();
        ensure!(told.starts_with("/v1/acme/things/?a=b%2F user [") && !told.contains("forged"), "{told}");
        for name in TOLD {
            ensure!(!told.contains(&format!("{} []", name.to_lowercase())), "the gate says its {name}: {told}");
        }
        ensure!(told.contains("event:write") && told.ends_with("token []"), "{told}");

        for (method, path, headers, expected) in [
            ("GET", "/v1/acme/things/", "", 401),
            ("GET", "/v1/globex/things/", bearer.as_str(), 403),
            ("GET", "/v1/globex/things/", &format!("{bearer}{forged}"), 403),
            ("DELETE", "/v1/acme/things/", &bearer, 403),
            // The gate believes whoever is on this machine, as nginx is: nobody asks it through nginx.
            ("GET", "/gate/check/", &format!("{bearer}X-Original-Method: GET\r\n{forged}"), 404),
            ("GET", "/gate/check/path/v1/acme/things/", &bearer, 404),
            ("GET", "/gate", &bearer, 404),
            ("GET", "/v1/acme/elsewhere/", &bearer, 403),
            ("GET", "/v1/acme/things/%2e%2e/%2e%2e/globex/things/", &bearer, 403),
            ("GET", "/v1/globex/../acme/things/", &bearer, 403),
            ("GET", "/v1/acme/..%2fglobex/things/", &bearer, 403),
            ("GET", "/v1/acme//things/", &bearer, 403),
            ("GET", "/v1/acme/things/", &format!("{bearer}Origin: https://evil.example\r\n"), 403),
        ] {
            let (status, answer) = nginx.ask(method, path, headers).await?;
            ensure!(status == expected, "{method} {path}: {answer}");
        }
        let (_, answer) = nginx.ask("GET", "/v1/acme/things/", "").await?;
        ensure!(answer.contains("resource_metadata="), "a client is told where to go: {answer}");

        journey.stage.latchkey.run(&["member", "remove", "--org", "acme", "--email", GRACE.email]).await?;
        let removed = Instant::now();
        let mut status = 200;
        while status == 200 && removed.elapsed() < Duration::from_secs(1) {
            status = nginx.ask("GET", "/v1/acme/things/", &bearer).await?.0;
        }
        ensure!(status == 401, "a second after the member was removed: {status}");

        journey.stage.stop_server().await?;
        let (status, answer) = nginx.ask("GET", "/v1/acme/things/", &bearer).await?;
        ensure!(status == 500, "a gate that does not answer lets nobody through: {answer}");
        nginx.stop().await?;
    }
}
