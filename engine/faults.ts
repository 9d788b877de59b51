import { DeviceError } from "./errors.ts";

/** What the device complained of and nobody was told yet: complaints come later than the work they are about. */
export class Faults {
  #fault: DeviceError | undefined;
  /** Why there is no device any more. It stays. */
  #gone: DeviceError | undefined;

  /** Listens to the device from now on. */
  constructor(device: GPUDevice) {
    device.onuncapturederror = (event) => {
      event.preventDefault();
      this.add(new DeviceError(event.error.message));
    };
    device.lost.then(({ reason, message }) => {
      const what = message ? `${reason}: ${message}` : reason;
      this.#gone ??= new DeviceError(`the device was lost (${what}); create another engine`);
    });
  }

  /** Keeps the first fault, or the first that names a kernel: a shader's error comes a second time, without. */
  add(error: DeviceError): void {
    if (!this.#fault || (error.kernel !== undefined && this.#fault.kernel === undefined)) this.#fault = error;
  }

  /** The engine is about to end its device: that it is lost then is no fault. */
  end(): void {
    this.#gone = new DeviceError("engine: it was destroyed; create another");
  }

  /** Throws DeviceError once the engine was destroyed or its device lost. */
  requireDevice(): void {
    if (this.#gone) throw new DeviceError(this.#gone.message);
  }

  /** Throws that there is no device, each time, or else what was kept, once. */
  check(): void {
    this.requireDevice();
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault) throw fault;
  }

  /** What a wait that the device broke off is told as: a DeviceError that says whose wait it was, where nothing says more. */
  of(who: string, cause: unknown): DeviceError {
    try {
      this.check();
    } catch (fault) {
      if (fault instanceof DeviceError) return fault;
    }
    return cause instanceof DeviceError ? cause : new DeviceError(`${who}: ${String(cause)}`, { cause });
  }
}
