//! Seeded links, NATs and a virtual clock for visavis agents.
