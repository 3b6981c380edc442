/** Links over a broker; in a file of its own, as it is large and few need it. */
export { mqttTransport } from '@pipevine/transports';
