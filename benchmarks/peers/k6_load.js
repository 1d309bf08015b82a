// The load that k6 makes: its open model (arrivals at a constant rate) or its closed one (users who wait for answers).
import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';

const rate = Number(__ENV.RATE_HZ);
const users = Number(__ENV.USERS);
const duration = `${__ENV.SECONDS}s`;
const models = {
  open: {
    executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration,
    preAllocatedVUs: users, maxVUs: users, gracefulStop: '5s',
  },
  closed: { executor: 'constant-vus', vus: users, duration, gracefulStop: '5s', exec: 'paced' },
};

export const options = {
  scenarios: { load: models[__ENV.MODEL] },
  discardResponseBodies: true,
  summaryTrendStats: ['count', 'p(50)', 'p(99)', 'p(99.9)', 'max'],
};

export default function () {
  http.get(`${__ENV.URL}/?start_ms=${exec.scenario.startTime}`);
}

// Each user asks as often as its share of the rate, and later when the answer before came later.
export function paced() {
  const begun = Date.now();
  http.get(`${__ENV.URL}/?start_ms=${exec.scenario.startTime}`);
  sleep(Math.max(0, users / rate - (Date.now() - begun) / 1000));
}
