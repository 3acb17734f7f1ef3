// The ECG strip on ECG paper: 25 mm/s, 10 mm/mV, 1 mm and 5 mm grid, calibration pulse.
// Every sample is drawn; gaps are drawn as gaps. Pure drawing, no dependencies.

const PAPER = "#fffaf8";
const FINE = "#f7dcd8";
const COARSE = "#e9a8a0";
const INK = "#141414";
const GAP = "#6b6b6b";
const CALIBRATION_MM = 15;
// A longer gap is drawn this long, with its true length written into it.
const MAX_GAP_S = 2;

/**
 * Draw a strip.
 * @param {HTMLCanvasElement} canvas
 * @param {{samples: Float32Array, rate: number, gaps: {index: number, missing: number}[]}} strip
 *   samples in millivolts; a gap of `missing` samples lies before `index`.
 * @param {{mm?: number, mmPerSecond?: number, mmPerMillivolt?: number, lead?: string,
 *   ratio?: number}} options mm: CSS pixels per millimetre.
 */
export function drawStrip(canvas, strip, options = {}) {
  const { mm = 3.78, mmPerSecond = 25, mmPerMillivolt = 10, lead = "" } = options;
  const ratio = options.ratio ?? (globalThis.devicePixelRatio || 1);
  const [low, high] = extent(strip.samples);
  const top = Math.max(1.5, Math.ceil((high + 0.25) * 2) / 2);
  const bottom = Math.max(1, Math.ceil((0.25 - low) * 2) / 2);
  const drawn = (missing) => Math.min(missing, MAX_GAP_S * strip.rate);
  const missing = strip.gaps.reduce((sum, gap) => sum + drawn(gap.missing), 0);
  const seconds = (strip.samples.length + missing) / strip.rate;
  const widthMm = CALIBRATION_MM + Math.ceil((seconds * mmPerSecond) / 5) * 5;
  const heightMm = (top + bottom) * mmPerMillivolt;
  canvas.width = Math.round(widthMm * mm * ratio);
  canvas.height = Math.round(heightMm * mm * ratio);
  canvas.style.width = `${widthMm * mm}px`;
  canvas.style.height = `${heightMm * mm}px`;
  const context = canvas.getContext("2d", { alpha: false });
  const k = mm * ratio;
  context.fillStyle = PAPER;
  context.fillRect(0, 0, canvas.width, canvas.height);
  grid(context, canvas, k, widthMm, heightMm, 1, FINE, Math.max(1, Math.round(ratio)));
  grid(context, canvas, k, widthMm, heightMm, 5, COARSE, Math.max(1, Math.round(ratio)));

  const y = (millivolt) => (top - millivolt) * mmPerMillivolt * k;
  context.strokeStyle = INK;
  context.lineWidth = 1.3 * ratio;
  context.lineJoin = "round";
  context.beginPath();
  const pulse = [[3, 0], [5, 0], [5, 1], [10, 1], [10, 0], [12, 0]];
  pulse.forEach(([x, mv], i) => (i ? context.lineTo(x * k, y(mv)) : context.moveTo(x * k, y(mv))));
  context.stroke();

  const step = (mmPerSecond / strip.rate) * k;
  const gaps = new Map(strip.gaps.map((gap) => [gap.index, gap.missing]));
  const lengths = [];
  let x = CALIBRATION_MM * k;
  context.beginPath();
  for (let i = 0; i < strip.samples.length; i += 1) {
    const lost = gaps.get(i) ?? 0;
    if (lost) {
      context.stroke();
      hatch(context, x, x + drawn(lost) * step, canvas.height, ratio);
      if (lost > drawn(lost)) lengths.push([`${(lost / strip.rate).toFixed(1)} s`, x + k]);
      x += drawn(lost) * step;
      context.strokeStyle = INK;
      context.lineWidth = 1.3 * ratio;
      context.beginPath();
    }
    if (i === 0 || lost) context.moveTo(x, y(strip.samples[i]));
    else context.lineTo(x, y(strip.samples[i]));
    x += step;
  }
  context.stroke();
  context.fillStyle = INK;
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  context.fillText(lead, CALIBRATION_MM * k, 4 * k);
  for (const [text, at] of lengths) context.fillText(text, at, 8 * k);
  context.fillText(`${mmPerSecond} mm/s  ${mmPerMillivolt} mm/mV`, 3 * k, canvas.height - 1.5 * k);
}

function extent(samples) {
  let low = 0;
  let high = 0;
  for (const value of samples) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function grid(context, canvas, k, widthMm, heightMm, step, color, width) {
  const px = (mm) => Math.round(mm * k) + (width % 2 ? 0.5 : 0); // whole device pixels
  context.beginPath();
  context.strokeStyle = color;
  context.lineWidth = width;
  for (let x = 0; x <= widthMm; x += step) {
    context.moveTo(px(x), 0);
    context.lineTo(px(x), canvas.height);
  }
  for (let y = 0; y <= heightMm; y += step) {
    context.moveTo(0, px(y));
    context.lineTo(canvas.width, px(y));
  }
  context.stroke();
}

function hatch(context, from, to, height, ratio) {
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, height);
  context.clip();
  context.beginPath();
  context.strokeStyle = GAP;
  context.lineWidth = ratio;
  for (let x = from - height; x < to; x += 8 * ratio) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}
