/** MD5 of the official MNIST files once they are unpacked, as many loaders publish them; of the part that counts. */
export const mnistSums: Readonly<Record<string, string>> = {
  "train-images": "6bbc9ace898e44ae57da46a324031adb",
  "train-labels": "a25bea736e30d166cdddb491f175f624",
  "t10k-images": "2646ac647ad5339dbf082846283269ea",
  "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
};
