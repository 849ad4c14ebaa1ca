//! What is generated from the description of the interface: one template a language.

pub mod api;
pub mod compare;
pub mod node;
pub mod python;
