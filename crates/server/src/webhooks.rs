//! Tells configured targets what happened: from the store's outbox, in order, signed, and again and again
//! until a target has it. What a target answers changes nothing but that.

mod address;
mod body;
mod post;
mod signature;
mod target;

use std::sync::Arc;
use std::time::Duration;

use protocol::Timestamp;
use store::Delivery;

pub(crate) use self::address::Network;
pub(crate) use self::target::Webhook;

use self::post::Poster;
use crate::http::App;

/// How often an empty outbox is looked at.
const LOOKING: Duration = Duration::from_millis(500);
/// Events read at once.
const AT_ONCE: u32 = 100;
/// Between attempts: at first, and at most.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);
/// An event that a target has not taken for so long is given up.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// A task for each target, for as long as the server runs.
pub(crate) fn start(app: &Arc<App>) -> anyhow::Result<()> {
    if app.config.webhooks.is_empty() {
        return Ok(());
    }
    let poster = Arc::new(Poster::new(app.config.webhook_allowed_networks.clone())?);
    for webhook in app.config.webhooks.clone() {
        let teller = Teller {
            app: app.clone(),
            poster: poster.clone(),
            webhook,
        };
        tokio::spawn(teller.tell());
    }
    Ok(())
}

/// Tells one target.
struct Teller {
    app: Arc<App>,
    poster: Arc<Poster>,
    webhook: Webhook,
}

impl Teller {
    async fn tell(self) {
        let target = self.webhook.url.as_str();
        loop {
            let events = match self.app.store.events_of(target, AT_ONCE).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%error, "what webhooks are to be told cannot be read");
                    Vec::new()
                }
            };
            let is_all = events.is_empty();
            for event in events {
                // One that fails holds up those behind it: they are told in order.
                if !self.tell_one(event).await {
                    break;
                }
            }
            if is_all {
                tokio::time::sleep(LOOKING).await;
            }
        }
    }

    /// Whether the next may be told.
    async fn tell_one(&self, event: Delivery) -> bool {
        let clock = &self.app.clock;
        tokio::time::sleep_until(clock.instant(event.due_at).into()).await;
        let result = self.attempt(&event).await;
        let now = clock.now();
        let is_given_up = result.is_err() && now.since(event.at) > PATIENCE;
        let counted = match (&result, is_given_up) {
            (Ok(()), _) => "delivered",
            (Err(_), true) => "given_up",
            (Err(_), false) => "failed",
        };
        let deliveries = &self.app.metrics.webhook_deliveries;
        deliveries.with_label_values(&[counted]).inc();
        if let Err(error) = &result {
            let (kind, attempts) = (&event.kind, event.attempts + 1);
            let target = self.webhook.host();
            tracing::warn!(
                target,
                kind,
                attempts,
                error,
                is_given_up,
                "a webhook failed"
            );
        }
        let (store, target) = (&self.app.store, self.webhook.url.as_str());
        let noted = match counted {
            "failed" => {
                let next = now + backoff(event.attempts);
                store.event_failed(event.event, target, next).await
            }
            _ => store.event_delivered(event.event, target).await,
        };
        if let Err(error) = noted {
            // It is told again: at least once.
            tracing::warn!(%error, "what a webhook was told cannot be noted");
            tokio::time::sleep(LOOKING).await;
            return false;
        }
        counted != "failed"
    }

    async fn attempt(&self, event: &Delivery) -> Result<(), String> {
        let body = body::of(event).to_string();
        let key = self.webhook.key_among(&self.app.keys);
        let secret = key.and_then(|key| self.app.keys.secret(key));
        let (Some(key), Some(secret)) = (key, secret) else {
            return Err("the API key to sign with is gone".into());
        };
        let signature =
            signature::sign(key, secret, body.as_bytes(), seconds(self.app.clock.now()))?;
        self.poster.post(&self.webhook.url, &signature, body).await
    }
}

fn seconds(at: Timestamp) -> u64 {
    at.0 / 1_000
}

/// Doubled each time, up to ten minutes: a day is some 150 attempts.
fn backoff(attempts: u32) -> Duration {
    FIRST_BACKOFF
        .saturating_mul(1 << attempts.min(16))
        .min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_away_is_asked_less_and_less_often_for_a_day() {
        let waits = (0..).map(backoff);
        let attempts = waits
            .scan(Duration::ZERO, |at, wait| {
                *at += wait;
                Some(*at)
            })
            .take_while(|at| *at < PATIENCE)
            .count();
        assert!((100..200).contains(&attempts), "{attempts}");
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
        assert_eq!((backoff(0), backoff(1)), (FIRST_BACKOFF, FIRST_BACKOFF * 2));
    }
}
