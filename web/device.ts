import { Engine } from "../engine/engine.ts";

/** The page's only engine: opened when first asked for, and another when its device is lost. */
export class Device {
  readonly #onChange: (engine: Engine | undefined) => void;
  #opening: Promise<Engine> | undefined;
  #engine: Engine | undefined;

  /** `onChange` is told of each engine that opens, and of undefined when one was lost. */
  constructor(onChange: (engine: Engine | undefined) => void) {
    this.#onChange = onChange;
  }

  /** What is open now. */
  get current(): Engine | undefined {
    return this.#engine;
  }

  /** Throws DeviceError where no adapter is found; asked again, it looks again. */
  open(): Promise<Engine> {
    this.#opening ??= this.#create().catch((fault) => {
      this.#opening = undefined;
      throw fault;
    });
    return this.#opening;
  }

  async #create(): Promise<Engine> {
    const engine = await Engine.create({ quiet: true }); // the header says what runs the kernels
    this.#engine = engine;
    void engine.device.lost.then(() => {
      this.#engine = this.#opening = undefined;
      this.#onChange(undefined);
    });
    this.#onChange(engine);
    return engine;
  }
}
