//! Conversations with an engine.
