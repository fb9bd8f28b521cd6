// Numbers as people read them: three significant digits, with their unit.

const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const grouped = new Intl.NumberFormat('en');

function scaled(value, unit) {
  let step = 0;
  while (value >= 999.5 && step < prefixes.length - 1) {
    value /= 1000;
    ++step;
  }
  const digits = value >= 99.95 || (step === 0 && Number.isInteger(value)) ? 0 : value >= 9.995 ? 1 : 2;
  const number = step === prefixes.length - 1 && value >= 1e6 ? value.toExponential(2) : value.toFixed(digits);
  const suffix = prefixes[step] + unit;
  return suffix ? `${number} ${suffix}` : number;
}

export const hashrate = (value) => scaled(value || 0, 'H/s');
/** For the marks of an axis: 10 GH/s, not 10.0 GH/s. */
export const round_hashrate = (value) => hashrate(value).replace(/\.(\d*?)0+ /, (_, digits) => (digits ? `.${digits} ` : ' '));
export const difficulty = (value) => (value > 0 ? (value < 0.01 ? value.toPrecision(3) : scaled(value, '').replace(' ',
  '')) : '–');
export function count(value) {
  const whole = Math.round(value || 0);
  return whole < 1000 ? String(whole) : grouped.format(whole);  // most are small, and a table of thousands has many
}

export const workers = (number) => `${count(number)} ${number === 1 ? 'worker' : 'workers'}`;

export function percent(part, whole) {
  if (!whole) return '–';
  const value = (100 * part) / whole;
  if (value === 0 || value === 100) return `${value} %`;
  // Never rounded to all or nothing: one bad share in a million is not none.
  return `${Math.min(99.99, Math.max(0.01, value)).toFixed(value < 10 || value > 99 ? 2 : 1)} %`;
}

export function duration(seconds) {
  if (!(seconds >= 0)) return '–';
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export function ago(milliseconds) {
  if (!Number.isFinite(milliseconds)) return '–';
  return `${duration(Math.max(0, (Date.now() - milliseconds) / 1000))} ago`;
}

export const milliseconds = (seconds) => (seconds > 0 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms` : '–');

const two = (value) => String(value).padStart(2, '0');
export function clock(time, with_seconds = true) {
  const at = new Date(time);
  return `${two(at.getHours())}:${two(at.getMinutes())}${with_seconds ? `:${two(at.getSeconds())}` : ''}`;
}
export function date_and_time(time) {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(time)}`;
}
/** Without the date where that goes without saying. */
export const recent_time = (time) => (Date.now() - time < 43_200_000 ? clock(time) : date_and_time(time));

export const words = (name) => String(name).replaceAll('_', ' ');
