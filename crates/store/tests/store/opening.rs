//! Who may open a database, and which.

use store::{Error, Outcome, Settings, Store};

use protocol::record::Write;

use crate::both;
use crate::records::*;

both! {
    async fn a_second_server_is_refused_until_the_first_is_gone(place: Place) {
        let first = place.open().await;
        let second = Store::open(place.location.clone(), Settings::default()).await;
        let Err(error @ Error::InUse(_)) = second else { panic!("two servers on one database") };
        assert!(error.to_string().ends_with("one server per database"), "{error}");
        first.close().await;
        place.open().await;
    }

    async fn an_existing_database_is_opened_as_it_is(place: Place) {
        let store = place.open().await;
        commit(&store, vec![Write::RoomCreated(room(1))]).await;
        store.close().await;
        let store = place.open().await;
        assert_eq!(store.room(room_id(1)).await.unwrap(), Some(room(1)));
        assert_eq!(write(&store, vec![Write::RoomCreated(room(2))]).await, Outcome::Committed);
    }

    async fn a_database_of_a_newer_version_is_refused_with_a_sentence_and_left_alone(place: Place) {
        place.open().await.close().await;
        let mut raw = place.raw().await;
        raw.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        ).await.unwrap();
        let error = Store::open(place.location.clone(), Settings::default()).await.err().unwrap();
        assert_eq!(error, Error::Newer(9));
        assert!(error.to_string().contains("newer version of Plenum"), "{error}");
        assert_eq!(raw.number("SELECT epoch FROM server").await, 1);
    }

    async fn a_migration_that_was_changed_is_refused(place: Place) {
        place.open().await.close().await;
        let mut raw = place.raw().await;
        let other = if place.is_postgres() { "'\\x00'" } else { "x'00'" };
        raw.execute(&format!("UPDATE _sqlx_migrations SET checksum = {other}")).await.unwrap();
        let error = Store::open(place.location.clone(), Settings::default()).await.err().unwrap();
        assert!(matches!(error, Error::Unusable(_)), "{error}");
    }

    async fn a_server_that_was_cut_off_writes_nothing_once_another_has_taken_over(place: Place) {
        let store = place.open().await;
        commit(&store, vec![Write::RoomCreated(room(1))]).await;
        // As another opening does.
        place.raw().await.execute("UPDATE server SET epoch = epoch + 1").await.unwrap();
        let mut batch = store::Batch::new(at(1), vec![vec![Write::RoomCreated(room(2))]]);
        assert_eq!(store.write(&mut batch).await, Err(Error::TakenOver));
        assert_eq!(store.heartbeat(at(1)).await, Err(Error::TakenOver));
        assert_eq!(store.room(room_id(2)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    let location = store::Location::of("/dev/null/store".as_ref(), None).unwrap();
    let error = Store::open(location, Settings::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("/dev/null/store"), "{error}");
    let url = "postgres://plenum:secret@127.0.0.1:1/x";
    let location = store::Location::of("/".as_ref(), Some(url)).unwrap();
    let error = Store::open(location, Settings::default())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, Error::Away(_)) && !error.to_string().contains("secret"),
        "{error}"
    );
}
