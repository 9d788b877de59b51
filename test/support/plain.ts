import { Engine } from "../../engine/engine.ts";

/** An engine without the poison between ops, so that neighbours fuse: one for all files, never closed, as that of engine.ts. */
export const plain = await Engine.create({ quiet: true });
