import start from "./latchkey_iframe.js";

start();
