//! Ctrl-C: the first ends the counting, and the report comes; the second ends the program at once. A thread
//! of its own listens, so that it is heard whatever the others are doing, and also when the report is being
//! written. It ends nothing else.

use std::sync::LazyLock;

use tokio::sync::watch;

/// What a shell says of whom Ctrl-C has ended: 128 and the signal's number.
const ENDED: i32 = 130;

/// True when somebody has interrupted this process.
pub(super) fn interrupted() -> watch::Receiver<bool> {
    static INTERRUPTED: LazyLock<watch::Receiver<bool>> = LazyLock::new(|| {
        let (interrupt, interrupted) = watch::channel(false);
        let listening = std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || listen(&interrupt));
        if let Err(error) = listening {
            // Then Ctrl-C does what it does to any program.
            tracing::warn!(%error, "a run cannot be ended early with a report");
        }
        interrupted
    });
    INTERRUPTED.clone()
}

fn listen(interrupt: &watch::Sender<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    runtime.block_on(async {
        // Without signals a run cannot be ended early.
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.send_replace(true);
            // Whoever asks twice means it.
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(ENDED);
            }
        }
    });
}
