//! Headless clients.
