export { Init } from "./init.ts";
export { countParameters, Module, type State } from "./module.ts";
export { Ncsn, type NcsnOptions } from "./ncsn.ts";
export { NcsnSmall, type NcsnSmallOptions } from "./ncsn-small.ts";
export { buildScoreNet, type ScoreNet, type ScoreNetOptions, scoreNetNames } from "./score-net.ts";
