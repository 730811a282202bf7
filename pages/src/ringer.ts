/** The bell of the telephone in the page: two tones, as there is no file that could be played before the first click. */
const HZ = [440, 480] as const;
const RINGS_S = 1.2;
const PERIOD_MS = 3500;
const LOUD = 0.08;

export class Ringer {
  private context: AudioContext | null = null;
  private timer = 0;

  start(): void {
    this.stop();
    this.context ??= new AudioContext();
    this.ring(this.context);
    this.timer = window.setInterval(() => this.context && this.ring(this.context), PERIOD_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    void this.context?.close();
    this.context = null;
  }

  private ring(context: AudioContext): void {
    const volume = context.createGain();
    volume.gain.value = LOUD;
    volume.connect(context.destination);
    for (const hz of HZ) {
      const tone = context.createOscillator();
      tone.frequency.value = hz;
      tone.connect(volume);
      tone.start();
      tone.stop(context.currentTime + RINGS_S);
    }
  }
}
