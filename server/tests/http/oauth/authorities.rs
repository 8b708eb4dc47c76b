//! What is known of a request at one look is what is found again in the unit that issues.

use latchkey_server::{
    secret::{Digest256, Secret},
    store::{authorities, consents::Subject},
};

use crate::support::{APP, Asking, GLOBEX_APP, MEMBER, NOW, OWNER, Person, Platform};

/// Each changes what one of the two is to look at.
const CHANGES: [&str; 9] = [
    "update consents set refresh_allowed_at = null",
    "update consents set requesting_origin = 'https://other.example' where user_id = 'max'",
    "update consents set redirect_uri = redirect_uri || '2' where user_id = 'ada'",
    "update consents set client_id = 'globexclient' where user_id = 'max'",
    "update consents set scopes = 'org:read'",
    "update memberships set role = 'member'",
    "delete from memberships where user_id = 'max'",
    "update users set disabled_at = 1 where id = 'max'",
    "update organizations set disabled_at = 1",
];

/// Compares both for every application, person and place, and says how many consents were found.
async fn compare(platform: &Platform, secrets: &[Digest256], places: &[String]) -> usize {
    let mut unit = platform.app.store.read().await.unwrap();
    let mut remembered = 0;
    for (client_id, secret) in
        [APP, GLOBEX_APP].into_iter().flat_map(|app| secrets.iter().map(move |s| (app, s)))
    {
        let Some(asked) = authorities::ask(&mut unit, client_id, Some(secret), NOW).await.unwrap() else {
            continue;
        };
        let Some(person) = asked.person else { continue };
        for place in places {
            let (requesting_origin, redirect_uri) = place.split_once(' ').unwrap();
            let subject =
                Subject { user_id: &person.session.user_id, client_id, requesting_origin, redirect_uri };
            let found = authorities::find(&mut unit, subject, &person.session.id).await.unwrap().unwrap();
            assert!(found.has_active_user && found.has_unended_session);
            let known = person.remembered(subject).unwrap();
            assert_eq!((person.role, known), (found.role, found.remembered), "{place}");
            remembered += usize::from(known.is_some());
        }
    }
    remembered
}

#[tokio::test]
async fn whatever_a_person_allowed_and_is() {
    let platform = Platform::new().await;
    let mut secrets = vec![];
    for email in [MEMBER, OWNER] {
        let mut person = Person::signed_in(&platform, email).await;
        for asking in [Asking::for_frame(), Asking::new(), Asking::code()] {
            person.allow(&asking).await;
        }
        secrets.push(Secret::new(person.session().unwrap()).digest());
    }
    let places = "select distinct requesting_origin || ' ' || redirect_uri from consents";
    let mut places = platform.texts(places).await;
    places.push("https://other.example https://other.example/".into());
    assert_eq!(compare(&platform, &secrets, &places).await, 6);
    for change in CHANGES {
        platform.execute(change).await;
        compare(&platform, &secrets, &places).await;
    }
}
