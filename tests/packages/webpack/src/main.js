import * as sdk from "@latchkey/sdk";
import { show } from "../../projects.js";

const settings = await (await fetch("/config.json")).json();
await show(sdk, settings);
