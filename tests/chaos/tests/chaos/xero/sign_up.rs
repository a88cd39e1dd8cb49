//! Signing up is killed at any of its calls. Who signs up again has one portal, one account and one connection.

use super::{Company, Scene, nth, staff};
use aws_sdk_cognitoidentityprovider::Client;
use chaos::{Cloud, Portal};
use fake_xero::XeroUser;
use futures_util::future::join;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

/// Somebody who has no portal.
struct Newcomer {
    owner: XeroUser,
    tenant: Uuid,
}

impl Newcomer {
    async fn of(scene: &Scene<'_>) -> Self {
        let owner = scene.xero.user("Olive", "Harper").await;
        let made = scene.xero.australian(&owner, "Harbour Café", staff()).await;
        Newcomer {
            owner,
            tenant: made.tenant_id,
        }
    }

    async fn allows(&self, scene: &Scene<'_>) -> (Url, Vec<String>) {
        scene.allowed_by_a_newcomer(&self.owner, self.tenant).await
    }
}

/// The number that is kept for who comes back by this.
fn number(callback: &Url) -> String {
    let state = callback.query_pairs().find(|(name, _)| name == "state");
    let (_, state) = state.unwrap();
    state.split_once('.').unwrap().0.to_owned()
}

/// The portal that the account of this address is for.
async fn portal_of(pool: &Client, cloud: &Cloud, owner: &XeroUser) -> String {
    let found = pool
        .admin_get_user()
        .user_pool_id(cloud.output("UserPoolId"))
        .username(&owner.email)
        .send()
        .await
        .unwrap();
    let mut attributes = found.user_attributes().iter();
    let portal = attributes.find(|it| it.name() == "custom:portal_id");
    let groups = pool
        .admin_list_groups_for_user()
        .user_pool_id(cloud.output("UserPoolId"))
        .username(&owner.email)
        .send()
        .await
        .unwrap();
    let groups: Vec<_> = groups.groups().iter().map(|it| it.group_name()).collect();
    assert_eq!(groups, [Some("administrator")]);
    portal.unwrap().value().unwrap().to_owned()
}

#[tokio::test]
async fn who_signs_up_again_after_a_crash_has_one_portal_one_account_and_one_connection() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let pool = Client::new(&cloud.config(cloud.endpoint()));
    // Undisturbed, to know how many calls there are.
    let newcomer = Newcomer::of(&scene).await;
    let (callback, cookies) = newcomer.allows(&scene).await;
    let all = || scene.proxy.requests().values().sum::<u64>();
    let before = all();
    let back = scene.come_back(&callback, &cookies).await.unwrap();
    let calls = usize::try_from(all() - before).unwrap();
    let page = |portal: &str| format!("https://portal.example/portals/{portal}/xero?signed_up");
    assert_eq!(back.location, Some(page(&number(&callback))));
    assert!(calls > 8, "{calls}");

    for at in 0..=calls {
        // Before each is done, and after the last.
        let done = at == calls;
        let newcomer = Newcomer::of(&scene).await;
        let (callback, cookies) = newcomer.allows(&scene).await;
        let first = number(&callback);
        let (which, _) = nth(at.min(calls - 1), |_| true);
        match done {
            true => scene.proxy.hold_answers(which),
            false => scene.proxy.hold(which),
        }
        let what = format!("killed at {at} of {calls}");
        let killed = async {
            scene.held(&what).await;
            assert_eq!(scene.kill_everybody().await, 1, "{what}");
        };
        let (answer, ()) = join(scene.come_back(&callback, &cookies), killed).await;
        assert!(answer.is_err(), "{what}");

        let (callback, cookies) = newcomer.allows(&scene).await;
        let second = number(&callback);
        let back = scene.come_back(&callback, &cookies).await.unwrap();
        let portal_id = portal_of(&pool, &cloud, &newcomer.owner).await;
        match done {
            // There is an account already.
            true => assert_eq!((back.status, &portal_id), (409, &first), "{what}"),
            false => assert_eq!(back.location, Some(page(&portal_id)), "{what}"),
        }

        // What is left of the other attempt goes by itself, within a day.
        let nobodys = if portal_id == first { &second } else { &first };
        let nobodys = Portal::numbered(&cloud, nobodys);
        let company = Company {
            portal: Portal::numbered(&cloud, &portal_id),
            owner: newcomer.owner,
            tenant: newcomer.tenant,
        };
        scene.a_day_passes(&nobodys).await;
        for portal in [&nobodys, &company.portal] {
            scene.a_while_passes_at(portal).await;
            let due = json!({"portal_id": portal.id});
            assert_eq!(scene.hands.call(due).await, Ok(Value::Null), "{what}");
        }
        assert!(nobodys.items("PORTAL").await.is_empty(), "{what}");
        let left = nobodys.items("XERO").await;
        let mut left = left.iter().map(|item| item["sk"].as_str().unwrap());
        // Nobody comes back with an old state.
        assert!(left.all(|sk| sk.starts_with("XERO_STATE#")), "{what}");
        let its = company.portal.items("XERO").await;
        let its = its.iter().map(|item| item["sk"].as_str().unwrap());
        let its: Vec<_> = its.filter(|sk| !sk.starts_with("XERO_STATE#")).collect();
        assert_eq!(its, ["XERO"], "{what}");
        assert_eq!(company.portal.items("PORTAL").await.len(), 1, "{what}");

        // And works.
        let state = scene.xero.state(company.owner.user_id).await;
        assert_eq!(state.connections.len(), 1, "{what}");
        let chosen = json!({"tenant_id": company.tenant});
        let chosen = scene
            .ask(&company, "PUT", "xero/organisation", chosen)
            .await;
        assert_eq!(chosen.status, 200, "{what}: {chosen:?}");
        let seen = scene
            .ask(&company, "GET", "xero/preview", Value::Null)
            .await;
        assert_eq!(seen.status, 200, "{what}: {seen:?}");
        let delete = pool.admin_delete_user().username(&company.owner.email);
        let delete = delete.user_pool_id(cloud.output("UserPoolId"));
        delete.send().await.unwrap();
    }
    cloud.tear_down().await;
}
