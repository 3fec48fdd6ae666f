// What a stretch of work took: by the clock, and of the processor, which says more on a machine that others use too.

export type Taken = {
  readonly seconds: number;
  /** Of all threads of this process. */
  readonly cpu_seconds: number;
  /** Peak of this process so far, as the system counts it. */
  readonly peak_rss_bytes: number;
};

export function stopwatch(): () => Taken {
  const started = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return {
      seconds: (performance.now() - started) / 1000,
      cpu_seconds: (user + system) / 1e6,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    };
  };
}
