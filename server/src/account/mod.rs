//! What a person sees and changes of their own account, in a session of their own.

pub mod applications;
pub mod authorizations;
pub mod overview;
pub mod password;
pub mod sessions;
