//! A disk that takes longer: preloaded into a process (`LD_PRELOAD`, ld.so(8)), it has every flush last as many
//! milliseconds more as `LATCHKEY_FLUSH_MILLIS` says. What waits for the disk and what keeps a processor busy are told
//! apart by it, on a machine whose disk answers at once.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "it stands in the place of two functions of the C library")]

use std::{
    env,
    ffi::{c_int, c_long},
    sync::OnceLock,
    thread,
    time::Duration,
};

fn flush(call: c_long, descriptor: c_int) -> c_int {
    static MORE: OnceLock<Duration> = OnceLock::new();
    // SAFETY: both calls take a descriptor and nothing else, and the kernel judges whether it is one.
    let flushed = unsafe { libc::syscall(call, descriptor) };
    // What failed has said why in `errno`, and no time is lost over it.
    if flushed == 0 {
        thread::sleep(*MORE.get_or_init(|| {
            let said = env::var("LATCHKEY_FLUSH_MILLIS").ok().and_then(|millis| millis.parse().ok());
            Duration::from_millis(said.unwrap_or_default())
        }));
    }
    if flushed == 0 { 0 } else { -1 }
}

/// `fsync` (POSIX.1-2017).
#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    flush(libc::SYS_fsync, descriptor)
}

/// `fdatasync` (POSIX.1-2017).
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    flush(libc::SYS_fdatasync, descriptor)
}
