export { Block, setCheckpointing } from "./block.ts";
export { CRPBlock, type CRPOptions } from "./crp.ts";
export { MSFBlock } from "./msf.ts";
export { RCUBlock, type RCUOptions } from "./rcu.ts";
export { RefineBlock, type RefineOptions } from "./refine.ts";
export { ResidualBlock, type ResidualOptions } from "./residual.ts";
export { type ResnetBigGANOptions, ResnetBlockBigGAN } from "./resnet-biggan.ts";
export { ResnetBlockDDPM, type ResnetDDPMOptions } from "./resnet-ddpm.ts";
