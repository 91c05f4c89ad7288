//! Which publishers of a room a subscriber has heard of and not yet asked for. It asks for nothing itself.

use std::collections::BTreeSet;

use serde_json::Value;

/// Publishers of a room, in Janus's words: feeds.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    /// Only those of this name are wanted.
    only: Option<String>,
    known: BTreeSet<u64>,
    asked: BTreeSet<u64>,
}

impl Feeds {
    /// All publishers are wanted, or those of one name.
    pub(super) fn of(only: Option<String>) -> Self {
        Self {
            only,
            ..Self::default()
        }
    }

    /// What the plugin said: who publishes, who does no more.
    pub(super) fn hear(&mut self, data: &Value) {
        let published = data["publishers"].as_array().into_iter().flatten();
        let wanted = published.filter(|feed| match &self.only {
            Some(only) => feed["display"] == only.as_str(),
            None => true,
        });
        self.known
            .extend(wanted.filter_map(|feed| feed["id"].as_u64()));
        for gone in [&data["leaving"], &data["unpublished"]] {
            // "ok" is about oneself.
            if let Some(feed) = gone.as_u64() {
                self.known.remove(&feed);
                self.asked.remove(&feed);
            }
        }
    }

    /// Those to ask for now. They are told once.
    pub(super) fn take_due(&mut self) -> Vec<u64> {
        let due: Vec<u64> = self.known.difference(&self.asked).copied().collect();
        self.asked.extend(&due);
        due
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_feed_is_asked_for_once_and_again_only_when_it_came_back() {
        let mut feeds = Feeds::default();
        feeds.hear(&json!({ "videoroom": "joined", "publishers": [{ "id": 7 }, { "id": 5 }] }));
        assert_eq!(feeds.take_due(), [5, 7]);
        feeds.hear(&json!({ "videoroom": "event", "publishers": [{ "id": 7 }, { "id": 9 }] }));
        assert_eq!(feeds.take_due(), [9]);
        feeds.hear(&json!({ "videoroom": "event", "unpublished": "ok" }));
        feeds.hear(&json!({ "videoroom": "event", "unpublished": 7 }));
        feeds.hear(&json!({ "videoroom": "event", "leaving": 5 }));
        assert_eq!(feeds.take_due(), [0; 0]);
        feeds.hear(&json!({ "videoroom": "event", "publishers": [{ "id": 7 }] }));
        assert_eq!(feeds.take_due(), [7]);
    }

    #[test]
    fn who_wants_one_publisher_alone_asks_for_no_other() {
        let mut feeds = Feeds::of(Some("tutor".to_owned()));
        let publishers =
            json!([{ "id": 7, "display": "student" }, { "id": 9, "display": "tutor" }]);
        feeds.hear(&json!({ "videoroom": "joined", "publishers": publishers }));
        assert_eq!(feeds.take_due(), [9]);
    }
}
