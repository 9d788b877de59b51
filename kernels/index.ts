// Every kernel, for the tests and `stein kernels`.
export { accumulate } from "./accumulate.ts";
export { adam, adamSeveral, sgd, sgdSeveral } from "./adam.ts";
export { attention, attentionDelta, attentionGradKey, attentionGradQuery } from "./attention.ts";
export { attentionSlopes, attentionWeights } from "./attention-weights.ts";
export { binary, binaryBroadcast, binaryScalar } from "./binary.ts";
export { blocks } from "./blocks.ts";
export { cast } from "./cast.ts";
export { channelSums } from "./channel-sums.ts";
export { clipFactor } from "./clip.ts";
export { combine } from "./combine.ts";
export { convFold } from "./conv-fold.ts";
export { convGemm, convGemmWeight } from "./conv-gemm.ts";
export { convMatrix, matrixPixels, matrixWeight } from "./conv-matrix.ts";
export { convPad } from "./conv-pad.ts";
export { convPhases } from "./conv-phases.ts";
export { convUpdate } from "./conv-update.ts";
export { convWeightGemm, convWeightSum } from "./conv-weight-gemm.ts";
export { convWeightRows } from "./conv-weight-rows.ts";
export { convPackWeight, convRows } from "./conv2d.ts";
export { stridedCopy } from "./copy.ts";
export { dropout } from "./dropout.ts";
export { dsmLoss, dsmLossGrad, dsmPerturb } from "./dsm.ts";
export { embedding, embeddingGrad } from "./embedding.ts";
export { exchange } from "./exchange.ts";
export { fill } from "./fill.ts";
export { linearUpdate } from "./linear-update.ts";
export { matmulRegister, matmulShared } from "./matmul.ts";
export { metropolis } from "./metropolis.ts";
export {
  normApply,
  normGradApply,
  normGradFactors,
  normGradSums,
  normMoments,
  normStatistics,
} from "./norm.ts";
export { groupNorm, groupNormGrad } from "./norm-group.ts";
export { normImage, normImageGrad } from "./norm-image.ts";
export { normLanes, normLanesGrad } from "./norm-lanes.ts";
export { drawnNorms, normRatio, sampleNorms } from "./norm-ratio.ts";
export { normGradPieces, normGradSplit, normPieces, normSplit } from "./norm-split.ts";
export { pack } from "./pack.ts";
export { averagePool, maxPool, maxPoolGrad, takeIndexed } from "./pool.ts";
export { randomFill } from "./random.ts";
export { reduce } from "./reduce.ts";
export { resizeBilinear, resizeBilinearGrad, resizeNearest } from "./resize.ts";
export { bilinearStrips, bilinearStripsGrad } from "./resize-strips.ts";
export { multiplyAdd } from "./roofline.ts";
export { markedMaxOfFours, markedPlaces, maxOfFours, maxOfFoursGrad, meanOfFours } from "./sliding-fours.ts";
export { slidingMax, slidingMean } from "./sliding-pool.ts";
export { softmax, softmaxGrad } from "./softmax.ts";
export { softmaxByLanes } from "./softmax-lanes.ts";
export { squareSums } from "./square-sums.ts";
export { transposedCopy } from "./transpose.ts";
export { activationGrad, unary } from "./unary.ts";
export { upfirdn2d, upfirdn2dTile } from "./upfirdn2d.ts";
export { where, whereNumber } from "./where.ts";
export { windowCopy } from "./window.ts";
export { winogradInput, winogradOutput, winogradWeight } from "./winograd.ts";
export { winogradOutputGrad, winogradWeightGrad } from "./winograd-grad.ts";
