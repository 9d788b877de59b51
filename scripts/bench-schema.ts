/** Writes docs/bench.schema.json anew, out of bench/schema.ts: npx tsx scripts/bench-schema.ts && npm run fix */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jsonSchema } from "../bench/schema.ts";

const file = fileURLToPath(new URL("../docs/bench.schema.json", import.meta.url));
writeFileSync(file, `${JSON.stringify(jsonSchema(), null, 2)}\n`);
