// The latest uploads as stacked bars, oldest on the left. The table below it says the same in numbers.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Upload } from "./api";
import { day, number } from "./words";

const SERIES: [string, string, (of: Upload) => number][] = [
  ["Created", "--created", ({ rows }) => rows.created],
  ["Updated", "--updated", ({ rows, others }) => rows.updated + others.updated],
  ["Made inactive", "--disabled", ({ rows, others }) => rows.disabled + others.disabled],
  ["Not processed", "--not-processed", ({ rows }) => rows.not_processed],
];
const HEIGHT = 180;
/** Wider than half a bar, in the dots of any screen. */
const GAP_WIDTH = 50;
/** A bar this many times as high as the next one, a first load most often, is cut off: the others would be nothing. */
const TOWERS = 4;

const height = (upload: Upload) => SERIES.reduce((sum, [, , of]) => sum + of(upload), 0);

/** The upload whose bar is cut off, and where. */
function tower(uploads: Upload[]): { upload: Upload; at: number } | null {
  const [first, second] = [...uploads].sort((one, other) => height(other) - height(one));
  if (!first || !second || height(second) === 0 || height(first) <= TOWERS * height(second)) return null;
  return { upload: first, at: 1.25 * height(second) };
}

/** `aside`: there were rehearsals among them, which have changed nobody. */
export function Chart({ uploads, aside }: { uploads: Upload[]; aside: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const here = place.current;
    if (!here) return;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let chart: uPlot | undefined;
    const draw = () => {
      chart?.destroy();
      chart = drawn(here, [...uploads].reverse());
    };
    draw();
    // Colours are the page's, and the width is what there is.
    dark.addEventListener("change", draw);
    const watch = new ResizeObserver(() => chart?.setSize({ width: here.clientWidth, height: HEIGHT }));
    watch.observe(here);
    return () => {
      dark.removeEventListener("change", draw);
      watch.disconnect();
      chart?.destroy();
    };
  }, [uploads]);
  const count = uploads.length;
  const cut = tower(uploads);
  return (
    <figure class="chart">
      <figcaption>
        The last {number(count)} uploads{aside && ", rehearsals aside"}
        <span class="legend" aria-hidden="true">
          {SERIES.map(([name, colour]) => (
            <span class={colour.slice(2)}>{name}</span>
          ))}
        </span>
      </figcaption>
      {cut && (
        <p class="quiet">
          The bar of {day(cut.upload.received_at)} is cut off; it stands for {number(height(cut.upload))}.
        </p>
      )}
      <div ref={place} role="img" aria-label={`Bars of the last ${count} uploads; the table has their numbers.`} />
    </figure>
  );
}

function drawn(here: HTMLElement, uploads: Upload[]): uPlot {
  const style = getComputedStyle(here);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  // Each series stands on those before it; the highest is painted first.
  let below = uploads.map(() => 0);
  const stacked = SERIES.map(([, , of]) => (below = uploads.map((upload, at) => below[at]! + of(upload))));
  const cut = tower(uploads);
  const bars = uPlot.paths.bars!({ size: [0.7, 28] });
  const series = SERIES.map(([label, variable]) => ({
    label,
    fill: colour(variable),
    width: 0,
    paths: bars,
    points: { show: false },
  })).reverse();
  // The bar that is cut off has a gap, so that nobody reads it as a number.
  const gap = (chart: uPlot) => {
    if (!cut) return;
    const middle = chart.valToPos(uploads.indexOf(cut.upload), "x", true);
    const { top, height } = chart.bbox;
    chart.ctx.fillStyle = colour("--pico-background-color");
    for (const part of [0.1, 0.16]) {
      chart.ctx.fillRect(middle - GAP_WIDTH, top + part * height, 2 * GAP_WIDTH, 0.025 * height);
    }
  };
  const axis = { stroke: colour("--pico-muted-color"), grid: { show: false }, ticks: { show: false } };
  return new uPlot(
    {
      width: here.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: (_, from, to) => [from - 0.6, to + 0.6] },
        y: { range: (_, __, to) => [0, cut ? cut.at : Math.max(to, 1)] },
      },
      axes: [
        {
          ...axis,
          size: 32,
          space: 90,
          incrs: [1, 2, 5, 10],
          values: (_, at) => at.map((index) => (uploads[index] ? day(uploads[index].received_at) : "")),
        },
        {
          ...axis,
          size: 60,
          grid: { stroke: colour("--pico-muted-border-color"), width: 1 },
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6],
          values: (_, at) => at.map(number),
        },
      ],
      series: [{}, ...series],
      hooks: { draw: [gap] },
    },
    [uploads.map((_, index) => index), ...stacked.reverse()],
    here,
  );
}
