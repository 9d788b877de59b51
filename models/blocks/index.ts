export { CRPBlock, type CRPOptions } from "./crp.ts";
export { MSFBlock } from "./msf.ts";
export { RCUBlock, type RCUOptions } from "./rcu.ts";
export { RefineBlock, type RefineOptions } from "./refine.ts";
export { ResidualBlock, type ResidualOptions } from "./residual.ts";
export { ResnetBlockBigGAN, type ResnetBigGANOptions } from "./resnet-biggan.ts";
export { ResnetBlockDDPM, type ResnetDDPMOptions } from "./resnet-ddpm.ts";
