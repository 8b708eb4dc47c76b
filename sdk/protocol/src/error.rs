//! The closed list of codes an SDK promise can be rejected with.

/// Declares the codes once: the variant, the code as JavaScript sees it, and the hint that says what to do next.
/// The SDK's `errors.js` has the same, which a test of the SDK compares.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $hint:literal;)*) => {
        /// Why a promise of the SDK was rejected, or a sign-in ended without a session.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it stands in `error.code` and in the messages between SDK and iframe.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What to do next, for the person who reads the console: it names the header or setting to change.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }

            /// Reads a code; `None` for anything that is not in the list.
            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == code)
            }
        }
    };
}

codes! {
    /// The browser did not open the sign-in window.
    PopupBlocked = "popup_blocked", "Call login() in a click handler, before any await, or allow popups for this site.";
    /// The person closed the sign-in window before the end.
    PopupClosed = "popup_closed", "The sign-in window was closed. Offer the sign-in button again.";
    /// Another sign-in of this client is under way.
    InteractionInProgress = "interaction_in_progress", "Wait for the sign-in that is open, or abort it by its signal.";
    /// The caller's signal was aborted, or the client was destroyed.
    Aborted = "aborted", "The call was aborted by its signal, destroy(), logout() or another sign-in.";
    /// Nothing answered within the time limit.
    Timeout = "timeout", "Nothing answered in time. Try again, or raise timeoutMs.";
    /// The person said no, or may not say yes.
    AccessDenied = "access_denied", "Access was not allowed. Offer the sign-in button again.";
    /// `prompt: "none"` and nobody is signed in.
    LoginRequired = "login_required", "Nobody is signed in. Call login() without prompt \"none\".";
    /// `prompt: "none"` and the person has not allowed this yet.
    ConsentRequired = "consent_required", "The person has not allowed this yet. Call login() without prompt \"none\".";
    /// The person is not a member of the application's organization.
    MembershipRequired = "membership_required", "Ask the organization's admin to add this person, or sign in with another account.";
    /// The request was for another organization than the token's.
    WrongOrganization = "wrong_organization", "This sign-in opens one organization: use its slug in the path, or a relative path.";
    /// The token does not hold the scope the request needs.
    InsufficientScope = "insufficient_scope", "Ask for the scope in login({ scopes }), and allow it for the application.";
    /// This site is not among the application's allowed origins.
    OriginNotAllowed = "origin_not_allowed", "Add this site's origin to the application's allowed origins.";
    /// No active application has this client id.
    UnknownClient = "unknown_client", "Check clientId: no active application has it.";
    /// An option is missing or malformed.
    InvalidOptions = "invalid_options", "Check the option that the message names.";
    /// The companion frame did not load.
    FrameBlocked = "frame_blocked", "Add the platform's origin to frame-src in this site's Content-Security-Policy.";
    /// WebAssembly could not be started.
    WasmBlocked = "wasm_blocked", "Add 'wasm-unsafe-eval' to script-src in this site's Content-Security-Policy.";
    /// The browser refuses the storage this mode needs.
    StorageUnavailable = "storage_unavailable", "Allow this site to keep data, or use mode \"popup\".";
    /// A response came that no request of this client belongs to.
    StateMismatch = "state_mismatch", "Start the sign-in again: this response belongs to another request.";
    /// The SDK and the platform speak different versions.
    ProtocolMismatch = "protocol_mismatch", "Update the SDK: the platform has another version.";
    /// The session has ended.
    SessionExpired = "session_expired", "The session has ended. Call login() again.";
    /// The platform could not be reached.
    NetworkError = "network_error", "The platform could not be reached. Check the platform option, the network, and connect-src in this site's Content-Security-Policy.";
    /// The platform answered with an error it should not have.
    ServerError = "server_error", "The platform failed. Try again, then tell its team.";
}

impl ErrorCode {
    /// The code for an `error` of an authorization response (RFC 6749 §4.2.2.1, OpenID Connect Core §3.1.2.6).
    ///
    /// Codes that only a browser can know, such as `popup_blocked`, are not taken from a server.
    pub fn from_oauth(error: &str) -> Self {
        match error {
            "access_denied" => Self::AccessDenied,
            "login_required" | "interaction_required" | "account_selection_required" => Self::LoginRequired,
            "consent_required" => Self::ConsentRequired,
            "membership_required" => Self::MembershipRequired,
            "invalid_scope" => Self::InsufficientScope,
            _ => Self::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_server_becomes_a_code_and_never_one_that_only_a_browser_can_know() {
        for (error, code) in [
            ("access_denied", ErrorCode::AccessDenied),
            ("login_required", ErrorCode::LoginRequired),
            ("interaction_required", ErrorCode::LoginRequired),
            ("consent_required", ErrorCode::ConsentRequired),
            ("membership_required", ErrorCode::MembershipRequired),
            ("invalid_scope", ErrorCode::InsufficientScope),
            ("server_error", ErrorCode::ServerError),
            ("temporarily_unavailable", ErrorCode::ServerError),
            ("popup_blocked", ErrorCode::ServerError),
            ("", ErrorCode::ServerError),
        ] {
            assert_eq!(ErrorCode::from_oauth(error), code, "{error}");
        }
    }

    #[test]
    fn every_code_reads_back_and_no_two_are_alike() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(*code));
            assert!(code.hint().ends_with('.'), "{code:?} has a hint that is a sentence");
        }
        assert_eq!(ErrorCode::parse("POPUP_BLOCKED"), None);
        assert_eq!(ErrorCode::parse(""), None);
        assert_eq!(ErrorCode::ALL.len(), 22);
    }
}
