// The numbers by which the core's table is told what happens, and answers what to do: those of src/table.rs, which a
// test there compares.
export const ALLOWED = 0;
export const REFUSED = 1;
export const FRAME_LOADED = 2;
export const WELCOME = 3;
export const PREPARED = 4;
export const LOGIN = 5;
export const OPENED = 6;
export const BLOCKED = 7;
export const SIGNING_IN = 8;
export const RETURNED = 9;
export const ANSWERED = 10;
export const SIGNED_IN = 11;
export const RENEWED = 12;
export const FAILED = 13;
export const ABORT = 14;
export const SIGN_OUT = 15;
export const OVER = 16;
export const ALIVE = 17;
export const TICK = 18;
export const DESTROY = 19;
export const FRAME_KEPT_OUT = 20;
export const SWAPPED = 21;
export const UNRENEWED = 22;

export const KEEP = 1;
export const START = 2;
export const STOP = 4;
export const OPEN = 8;
export const REOPEN = 16;
export const FOCUS = 32;
export const POST_BEGAN = 64;
export const POST_ENDED = 128;
export const POST_SIGNED_OUT = 256;
export const RESTOCK = 512;
export const CLOSE = 1024;
export const TAKE = 2048;
export const DROP = 4096;
export const SETTLE = 8192;
export const REJECT = 16384;
export const CHANGED = 32768;
export const REVOKE_LAST = 65536;
export const REVOKE_OFFER = 131072;
export const REPORT = 262144;
export const RENEW = 524288;
export const CUT_OFF = 1048576;
export const RAN_OUT = 2097152;
export const FOLLOW = 4194304;
export const UNHEARD = 8388608;

/** By the number that the core gives its state. */
export const STATES = ["loading", "signed-out", "signing-in", "signed-in"];
