//! `/organizations/{organization}/members/`: who is a member, who is invited, and the form that invites.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use latchkey_protocol::scope::Role;

use crate::{
    directory::admin::{Admin, visitor},
    http::{
        browser::Browser,
        error::PageError,
        form::PageForm,
        kept_form,
        moment::Minute,
        page, paging,
        parameters::Parameters,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    members::{
        invitation::{self, InviteError, Invited, Wish},
        membership::is_last_owner,
        pages::{self, Choice, choices, csrf_purpose, list_path, sender, words},
    },
    state::App,
    store::{self, StoreError, Unit, memberships::Member},
};

/// How many stand on a page.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "members.html")]
struct ListPage {
    workspace: Workspace,
    path: String,
    csrf: String,
    members: Vec<Row>,
    /// Where the next page begins.
    after: Option<String>,
    /// Whether the list begins before this page.
    is_later_page: bool,
    invitations: Vec<OpenInvitation>,
    form: InviteForm,
    notice: Option<Notice>,
    /// The invitation that was just made.
    link: Option<Link>,
}

/// A member.
struct Row {
    user_id: String,
    name: String,
    email: String,
    /// The role's name in a form.
    role: &'static str,
    role_words: &'static str,
    is_you: bool,
    is_disabled: bool,
    is_last_owner: bool,
    /// The roles to choose from; empty where whoever looks cannot change this one.
    choices: Vec<Choice>,
}

/// Somebody who has not accepted yet.
struct OpenInvitation {
    id: String,
    email: String,
    role_words: &'static str,
    until: Minute,
}

/// The form that invites, as it is filled in.
struct InviteForm {
    email: String,
    choices: Vec<Choice>,
    problem: Option<String>,
}

/// The link that is shown once.
struct Link {
    email: String,
    address: String,
    role_words: &'static str,
    until: Minute,
}

/// What to know before the page is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notice {
    RoleChanged,
    Outdated,
    Removed,
    Withdrawn,
    SignedInAgain,
}

impl Notice {
    /// What an address of ours says was done.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "role" => Some(Self::RoleChanged),
            "outdated" => Some(Self::Outdated),
            "removed" => Some(Self::Removed),
            "withdrawn" => Some(Self::Withdrawn),
            _ => None,
        }
    }
}

/// Shows the page that begins after the member `after`, with the form as it was left by somebody who had to sign in
/// again.
pub async fn get(
    State(app): State<App>,
    Path(slug): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let after = visit.parameters.get("after").unwrap_or_default();
    let mut page = ListPage::read(&app, &mut unit, &admin, &visit.browser, after).await?;
    page.notice = visit.parameters.get("done").and_then(Notice::parse);
    if let Some(kept) = kept_form::find(&app, &mut unit, &visit).await? {
        page.form = InviteForm::left(&admin, &kept, None);
        page.notice = Some(Notice::SignedInAgain);
    }
    Ok((visit.browser.remember(CookieJar::new()), page.respond()).into_response())
}

/// Invites somebody. The answer is the page with the link, which is shown this once: only its hash is kept.
pub async fn post(
    State(app): State<App>,
    Path(slug): Path<String>,
    sent: PageForm,
) -> Result<Response, PageError> {
    let now = app.clock.now();
    let (mut unit, admin) = match sender(&app, &sent, &slug).await {
        Ok(sender) => sender,
        Err(error) => return Err(kept_form::refuse(&app, &sent, error).await),
    };
    let wish = Wish {
        organization_id: &admin.organization.id,
        email: sent.parameters.get("email").unwrap_or_default(),
        role: pages::role(&sent.parameters, "role")?,
        authority: admin.authority(),
        invited_by: Some(&admin.session.user_id),
    };
    let lasts = app.config.lifetimes.invitation_secs;
    let invited = match invitation::invite(&mut unit, &app.entropy, wish, now, lasts).await {
        Err(InviteError::Other(error)) => return Err(error.into()),
        invited => invited,
    };
    let mut page = ListPage::read(&app, &mut unit, &admin, &sent.browser, "").await?;
    match invited {
        Ok(invited) => {
            page.link = Some(Link::of(&app, invited));
            unit.commit().await?;
        }
        Err(problem) => page.form = InviteForm::left(&admin, &sent.parameters, Some(problem.to_string())),
    }
    Ok(page.respond())
}

impl ListPage {
    async fn read(
        app: &App,
        unit: &mut Unit,
        admin: &Admin,
        browser: &Browser,
        after: &str,
    ) -> Result<Self, StoreError> {
        let organization = &admin.organization;
        let owners = store::memberships::count_owners(unit, &organization.id).await?;
        let found = store::memberships::list_after(unit, &organization.id, after, PAGE + 1).await?;
        let is_later_page = !after.is_empty();
        let (members, after) = paging::cut(found, PAGE, |member| member.user_id.clone());
        let members = members.into_iter().map(|member| Row::of(member, admin, owners));
        let open = store::invitations::list(unit, &organization.id, app.clock.now()).await?;
        let open = open.into_iter().map(|invitation| OpenInvitation {
            id: invitation.id,
            email: invitation.email,
            role_words: words(invitation.role),
            until: Minute::of(invitation.expires_at),
        });
        Ok(Self {
            workspace: Workspace::of_organization(admin, browser, Place::Members),
            path: list_path(&organization.slug),
            csrf: browser.csrf(&csrf_purpose(&organization.slug)),
            members: members.collect::<Result<_, _>>()?,
            after,
            is_later_page,
            invitations: open.collect(),
            form: InviteForm { email: String::new(), choices: choices(admin, Role::Member), problem: None },
            notice: None,
            link: None,
        })
    }

    fn respond(&self) -> Response {
        let is_wrong = self.form.problem.is_some();
        let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        page::respond_enhanced(status, self)
    }
}

impl Row {
    fn of(member: Member, admin: &Admin, owners: i64) -> Result<Self, StoreError> {
        let role = store::memberships::role(&member.role)?;
        let is_last_owner = is_last_owner(role, member.disabled_at.is_none(), owners);
        let is_fixed = is_last_owner || admin.authority().require_over(role).is_err();
        Ok(Self {
            is_you: member.user_id == admin.session.user_id,
            is_disabled: member.disabled_at.is_some(),
            is_last_owner,
            choices: if is_fixed { vec![] } else { choices(admin, role) },
            role: role.as_str(),
            role_words: words(role),
            user_id: member.user_id,
            name: member.name,
            email: member.email,
        })
    }
}

impl InviteForm {
    /// As somebody left it.
    fn left(admin: &Admin, fields: &Parameters, problem: Option<String>) -> Self {
        let role = pages::role(fields, "role").unwrap_or(Role::Member);
        let email = fields.get("email").unwrap_or_default().to_owned();
        Self { email, choices: choices(admin, role), problem }
    }
}

impl Link {
    fn of(app: &App, invited: Invited) -> Self {
        let Invited { invitation, token } = invited;
        Self {
            address: app.config.url(&invitation::path(token.expose())),
            role_words: words(invitation.role),
            until: Minute::of(invitation.expires_at),
            email: invitation.email,
        }
    }
}
