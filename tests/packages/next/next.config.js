import path from "node:path";

/** The packages, and the hook that the other React example shares, are in the folder above. */
const root = path.join(import.meta.dirname, "..");

export default { turbopack: { root }, outputFileTracingRoot: root };
