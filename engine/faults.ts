import { DeviceError } from "./errors.ts";

/** What the device complained of and nobody was told yet: complaints come later than the work they are about. */
export class Faults {
  #fault: DeviceError | undefined;
  #destroyed = false;

  /** Listens to the device from now on. */
  constructor(device: GPUDevice) {
    device.onuncapturederror = (event) => {
      event.preventDefault();
      this.add(new DeviceError(event.error.message));
    };
    device.lost.then(({ reason, message }) => {
      if (!this.#destroyed) this.add(new DeviceError(`the device was lost (${reason}): ${message}`));
    });
  }

  /** Keeps the first fault, or the first that names a kernel: a shader's error comes a second time, without. */
  add(error: DeviceError): void {
    if (!this.#fault || (error.kernel !== undefined && this.#fault.kernel === undefined)) this.#fault = error;
  }

  /** The engine is about to end its device: that it is lost is no fault. */
  end(): void {
    this.#destroyed = true;
  }

  /** Throws DeviceError once the engine was destroyed. */
  requireDevice(): void {
    if (this.#destroyed) throw new DeviceError("engine: it was destroyed; create another");
  }

  /** Throws what was kept, once. */
  check(): void {
    this.requireDevice();
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault) throw fault;
  }
}
