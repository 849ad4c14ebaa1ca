//! How entries look in a second tier: the bytes that are written there, and how they are read again. This room knows nothing of loads, of
//! threads, or of the store that keeps the bytes.

mod crc;
pub mod entry;
