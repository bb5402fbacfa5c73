//! The fault matrix (`docs/RELIABILITY.md`): each test names the fault that it injects by its F-number.

mod instruments;
