// Random numbers that a seed repeats: mulberry32, by Tommy Ettinger, which is public domain. Math.random has no seed.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** A float in [0, 1). */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below `limit`. */
  below(limit) {
    return Math.floor(this.next() * limit);
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(items) {
    return items[this.below(items.length)];
  }

  /** Up to `most` of what `make` gives, at least `least`. */
  list(least, most, make) {
    return Array.from({ length: least + this.below(most - least + 1) }, make);
  }

  /** One of `[weight, value]`. */
  weighted(choices) {
    let place = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    return choices.find(([weight]) => (place -= weight) < 0)?.[1] ?? choices[0][1];
  }
}
