import type { FisherDivergence } from "../../bench/figures/fisher.ts";
import { sampleLaw } from "../../bench/figures/law.ts";
import { UsageError } from "../../engine/errors.ts";
import { button } from "../controls.ts";
import { element } from "../dom.ts";
import { count, number } from "../format.ts";
import type { Page } from "../view.ts";
import type { CurvePoint } from "./curve.ts";
import { Curves } from "./curves.ts";
import { Figures } from "./figures.ts";
import { nextFrame, often } from "./frames.ts";
import { LevelChoice } from "./level-choice.ts";
import { Pace, Rate } from "./pace.ts";
import { Panel } from "./panel.ts";
import { Picture } from "./picture.ts";
import { Session, SHOWN_POINTS, type Snapshot, type Truth } from "./session.ts";
import { DrawnPoints } from "./sets.ts";
import { defaults } from "./settings.ts";
import { saveValues } from "./values.ts";
import { describe } from "./words.ts";

/** Chains move so many steps a second, where the device keeps up. */
const MOVES = 60;
const MOST_MOVES = 4;

/** One training from Start to Reset, its controls and its pictures. */
export class Lesson {
  readonly root: HTMLElement;
  readonly #page: Page;
  readonly #panel: Panel;
  readonly #picture = new Picture();
  readonly #curves = new Curves();
  readonly #figures = new Figures();
  readonly #level: LevelChoice;
  readonly #start: HTMLButtonElement;
  readonly #save: HTMLButtonElement;
  readonly #pace = new Pace();
  readonly #rate = new Rate();
  #session: Session | undefined;
  #truth: Truth | undefined;
  #snapshot: Snapshot | undefined;
  #divergence: FisherDivergence | undefined;
  #losses: number[] = [];
  #divergences: CurvePoint[] = [];
  /** Should it run? The work that is under way ends when not. */
  #running = false;
  /** What is under way, one thing after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(page: Page) {
    this.#page = page;
    this.#panel = new Panel({ onSettings: () => this.#reset(), onLook: () => this.#draw() });
    this.#level = new LevelChoice(() => this.#lookElsewhere());
    this.#start = button("Start", () => this.#toggle(), { main: true });
    this.#save = button("Save values", () => this.#saved());
    this.#save.disabled = true;
    this.root = element(
      "div",
      { class: "columns" },
      element(
        "div",
        { class: "asked" },
        element(
          "div",
          { class: "buttons" },
          this.#start,
          button("Reset", () => this.#reset()),
          button("Scatter particles", () => this.#session?.particles.scatter()),
          this.#save,
        ),
        this.#panel.root,
      ),
      element(
        "div",
        { class: "shown" },
        this.#picture.root,
        this.#level.root,
        this.#figures.root,
        this.#curves.root,
      ),
    );
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw(), {
      signal: page.left,
    });
    this.#allowDrawing();
    this.#show();
    this.#draw();
  }

  /** Ends all work and frees what is on the device. */
  async end(): Promise<void> {
    this.#running = false;
    await this.#work;
    this.#forget();
  }

  #toggle(): void {
    this.#running = !this.#running;
    this.#name();
    if (this.#running) this.#then(() => this.#run());
  }

  /** Begins anew with what the controls say now, running if it ran. */
  #reset(): void {
    const ran = this.#running;
    this.#running = false;
    this.#then(async () => {
      this.#forget();
      this.#allowDrawing();
      this.#show();
      this.#page.status(ran ? "Begun anew." : "Reset.");
      if (!ran || this.#page.left.aborted) return;
      this.#running = true;
      this.#name();
      this.#then(() => this.#run());
    });
  }

  /** Appends to the work under way. A fault stops it and is shown. */
  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((fault) => {
      this.#running = false;
      this.#name();
      this.#forget();
      this.#page.fail(fault);
    });
  }

  async #run(): Promise<void> {
    const { left } = this.#page;
    if (left.aborted) return;
    const session = await this.#opened();
    this.#page.status(`Training on ${session.set.title.toLowerCase()}.`);
    this.#rate.clear();
    const [texts, words, measures] = [often(250), often(2000), often(400)];
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? often(1000) : () => true;
    let before = performance.now();
    while (this.#running && !left.aborted) {
      const start = performance.now();
      const moves = Math.min(MOST_MOVES, Math.max(1, Math.round(((start - before) * MOVES) / 1000)));
      before = start;
      await this.#frame(session, {
        steps: this.#panel.hold.value ? 0 : this.#pace.steps,
        moves: this.#panel.showParticles.value ? moves : 0,
      });
      if (!this.#panel.hold.value) this.#pace.took(performance.now() - start);
      this.#rate.mark(performance.now(), session.fit.steps);
      const changes = !this.#panel.hold.value || this.#divergence === undefined;
      if (changes && measures()) await this.#measure(session);
      if (calm()) this.#draw();
      if (texts()) this.#show();
      if (words()) this.#describe();
      await nextFrame(left);
    }
    if (left.aborted) return;
    await this.#measure(session);
    this.#draw();
    this.#show();
    this.#describe();
    this.#page.status(`Paused after ${count(session.fit.steps)} steps.`);
  }

  /** The session of the controls, made when it is first asked for, and shown as it begins. */
  async #opened(): Promise<Session> {
    if (this.#session) return this.#session;
    const { set, settings } = this.#panel;
    if (set instanceof DrawnPoints && set.count === 0)
      throw new UsageError(
        "Points: got none, expected at least one; draw some on the plane, or choose a set",
      );
    this.#page.status("Opening the device and compiling kernels.");
    const engine = await this.#page.engine();
    const session = new Session(engine, set, settings);
    this.#session = session;
    this.#level.offer(session.fit.sigmas);
    this.#save.disabled = false;
    await this.#frame(session, { steps: 0, moves: 0 });
    await this.#measure(session);
    return session;
  }

  async #frame(session: Session, { steps, moves }: { steps: number; moves: number }): Promise<void> {
    this.#snapshot = await session.frame({ steps, moves, label: this.#level.label });
    this.#losses.push(...this.#snapshot.losses);
  }

  async #measure(session: Session): Promise<void> {
    const { label } = this.#level;
    this.#truth = await session.truth(label);
    this.#divergence = await session.divergence(label);
    const at = { step: session.fit.steps, value: this.#divergence.relative.mean };
    if (this.#divergences.at(-1)?.step !== at.step) this.#divergences.push(at);
  }

  /** Another noise scale is looked at: what was measured at the last one is no longer of interest. */
  #lookElsewhere(): void {
    this.#divergences = [];
    this.#divergence = undefined;
    this.#lookAgain();
  }

  #lookAgain(): void {
    const session = this.#session;
    if (!session || this.#running) return;
    this.#then(async () => {
      if (session !== this.#session) return;
      await this.#frame(session, { steps: 0, moves: 0 });
      await this.#measure(session);
      this.#draw();
      this.#show();
      this.#describe();
    });
  }

  #allowDrawing(): void {
    const { set, own } = this.#panel;
    this.#picture.draws(set === own ? own : undefined, () => {
      if (own.count === 0 && this.#session) this.#reset();
      else this.#session?.changed(own);
      this.#divergences = [];
      this.#lookAgain();
      this.#draw();
    });
  }

  #draw(): void {
    const { set, own, showTruth, showParticles } = this.#panel;
    const [session, snapshot, truth] = [this.#session, this.#snapshot, this.#truth];
    const drawn = set === own ? own.points : undefined;
    this.#picture.show({
      reach: set.reach,
      points: drawn ?? truth?.points ?? sampleLaw(set.law(defaults.noise.sigma), SHOWN_POINTS, defaults.seed),
      grid: session?.grid ?? [],
      learned: snapshot?.learned ?? [],
      truth: showTruth.value ? truth?.onGrid : undefined,
      longest: truth?.longest ?? 1,
      particles: showParticles.value ? snapshot?.particles : undefined,
    });
  }

  #describe(): void {
    const [session, snapshot, truth] = [this.#session, this.#snapshot, this.#truth];
    if (!session || !snapshot || !truth) return;
    this.#picture.words = describe({
      set: this.#panel.set.title,
      sigma: truth.sigma,
      steps: session.fit.steps,
      learned: snapshot.learned,
      truth,
      divergence: this.#divergence,
      particles: this.#panel.showParticles.value ? snapshot.particles : undefined,
    });
  }

  /** The numbers and curves as they are now. */
  #show(): void {
    const session = this.#session;
    const recent = this.#losses.slice(-50);
    const { relative } = this.#divergence ?? {};
    const perSecond = this.#running ? this.#rate.perSecond : undefined;
    this.#figures.show({
      steps: count(session?.fit.steps ?? 0),
      rate: perSecond === undefined ? "–" : `${number(perSecond)} steps/s`,
      loss: recent.length === 0 ? "–" : number(recent.reduce((sum, v) => sum + v, 0) / recent.length),
      divergence: relative ? `${number(relative.mean)} ± ${number(relative.error, 2)}` : "–",
      particles: session ? `sigma ${number(session.fit.sigmas[session.particles.level]!)}` : "–",
    });
    this.#curves.show(this.#losses, this.#divergences);
  }

  #name(): void {
    this.#start.textContent = this.#running ? "Pause" : "Start";
  }

  #saved(): void {
    const [session, snapshot] = [this.#session, this.#snapshot];
    if (!session || !snapshot) return;
    saveValues({
      set: session.set.title,
      settings: session.settings,
      sigmas: session.fit.sigmas,
      shown: { sigma: session.fit.sigmas[this.#level.label]!, divergence: this.#divergence },
      steps: this.#losses.length, // those of the snapshot: more may be under way
      losses: this.#losses,
      divergences: this.#divergences,
      grid: [...session.grid],
      learned: [...snapshot.learned],
      particles: [...snapshot.particles],
    });
  }

  #forget(): void {
    this.#session?.dispose();
    this.#session = this.#truth = this.#snapshot = this.#divergence = undefined;
    this.#losses = [];
    this.#divergences = [];
    this.#save.disabled = true;
    this.#level.offer([]);
    this.#picture.words = `${this.#panel.set.title}; nothing is learned yet.`;
    this.#draw();
  }
}
