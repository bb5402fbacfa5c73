//! Builds anew when a migration changes: `sqlx::migrate!` embeds the folders, and cargo does not see that.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
