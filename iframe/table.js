// The numbers by which the core's table of a session is told what happens, and says what to do: those of src/life.rs,
// which a test there compares.
export const GREETED = 0;
export const TAKING = 1;
export const CAME = 2;
export const OPENED = 3;
export const RENEWED = 4;
export const SHARED = 5;
export const UNRENEWED = 6;
export const TAB_RENEWED = 7;
export const TAB_ENDED = 8;
export const LEAVING = 9;
export const SIGNED_OUT = 10;
export const REFUSED = 11;
export const TICK = 12;
export const HANDED = 13;
export const ADOPTED = 14;
export const FAILED = 15;
export const GIVEN_UP = 16;
export const UNOPENED = 17;

export const MARKED = 1;
export const KEEPS = 2;
export const REFRESH = 4;
export const COOKIE = 8;
export const SAME = 16;
export const HANDLE = 32;
export const OTHERWISE = 64;
export const REPLACES = 128;
export const EXPIRED = 256;

export const DISCARD = 2;
export const TAKE = 4;
export const FORGET = 8;
export const POST_SIGNED_IN = 16;
export const POST_RENEWED = 32;
export const TELL_RENEWED = 64;
export const TELL_ENDED = 128;
export const OPEN = 256;
export const MARK = 512;
export const UNMARK = 1024;
export const CLOSE = 2048;
export const REVOKE_REFRESH = 4096;
export const REVOKE_TOKEN = 8192;
export const ASK = 16384;
export const ADOPT = 32768;
export const CLOSE_OTHERWISE = 65536;
