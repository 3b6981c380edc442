/** The part of JSON Schema 2020-12 that describes a section. */
export interface SectionSchema {
  readonly description?: string;
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: { readonly [key: string]: SectionSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  readonly items?: SectionSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Of each kind of hardware: more are a mistake, and each costs a process or a timer. */
const MAX_ENTRIES = 32;

const section = (
  properties: { readonly [key: string]: SectionSchema },
  required: readonly string[] = [],
): SectionSchema => ({ type: 'object', properties, required, additionalProperties: false });

const many = (description: string, items: SectionSchema): SectionSchema => ({
  description,
  type: 'array',
  items,
  maxItems: MAX_ENTRIES,
});

const NAME: SectionSchema = {
  description: 'name of the property, or of the pipe: a letter, then letters, digits and dashes',
  type: 'string',
  pattern: '^[A-Za-z][A-Za-z0-9_-]{0,31}$',
};

const DEVICE: SectionSchema = {
  description: 'what the driver calls the device, or its folder in /sys',
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9_:.-]{0,63}$',
};

const SECONDS: SectionSchema = {
  description: 'how often it is looked at for observers, seconds',
  type: 'number',
  minimum: 1,
  maximum: 86_400,
};

const PIN = section(
  {
    name: NAME,
    chip: { description: 'GPIO chip; default gpiochip0', type: 'string', pattern: '^gpiochip[0-9]{1,3}$' },
    line: {
      description: 'offset on the chip; on a Raspberry Pi the BCM number',
      type: 'integer',
      minimum: 0,
      maximum: 1_023,
    },
    direction: { type: 'string', enum: ['in', 'out'] },
    pull: { description: 'resistor; default as the board has it', type: 'string', enum: ['up', 'down', 'none'] },
    edges: {
      description: 'edges of an input that are told as events',
      type: 'string',
      enum: ['rising', 'falling', 'both'],
    },
    'debounce-ms': {
      description: 'how long a level must last to count; default 5',
      type: 'integer',
      minimum: 1,
      maximum: 10_000,
    },
    'active-low': { description: 'whether low means true', type: 'boolean' },
    initial: { description: 'what an output is set to at the start; default false', type: 'boolean' },
  },
  ['name', 'line', 'direction'],
);

/** The mapping below `board` in the configuration file. */
export const BOARD_SCHEMA: SectionSchema = {
  description: 'what of the board is shown, and how it is called',
  ...section({
    name: {
      description: 'title of the thing; default the name of the peer',
      type: 'string',
      pattern: '^\\S(.{0,62}\\S)?$',
    },
    interval: {
      ...SECONDS,
      description: 'how often temperature, load and the like are looked at, seconds; default 60',
    },
    pins: many('lines of GPIO chips', PIN),
    pwm: many(
      'PWM channels',
      section(
        {
          name: NAME,
          chip: {
            description: 'number of the chip in /sys/class/pwm; default 0',
            type: 'integer',
            minimum: 0,
            maximum: 255,
          },
          channel: { type: 'integer', minimum: 0, maximum: 255 },
          'frequency-hz': { description: 'default 1000', type: 'number', minimum: 1, maximum: 1_000_000 },
        },
        ['name', 'channel'],
      ),
    ),
    sensors: many(
      'sensors; one of iio, hwmon and w1 says where',
      section(
        {
          name: NAME,
          iio: DEVICE,
          hwmon: DEVICE,
          w1: { description: 'id of a 1-wire thermometer', type: 'string', pattern: '^[0-9a-f]{2}-[0-9a-f]{1,16}$' },
          channel: {
            description: 'such as temp, humidityrelative, voltage0 (iio), temp1, in0 (hwmon)',
            type: 'string',
            pattern: '^[a-z][a-z0-9_-]{0,63}$',
          },
          interval: SECONDS,
        },
        ['name'],
      ),
    ),
    leds: many(
      'LEDs',
      section(
        {
          name: NAME,
          led: {
            description: 'folder in /sys/class/leds',
            type: 'string',
            pattern: '^[A-Za-z0-9][A-Za-z0-9_:. @+-]{0,63}$',
          },
        },
        ['name', 'led'],
      ),
    ),
    serial: many(
      'serial ports, each a pipe of its name',
      section(
        {
          name: NAME,
          device: {
            description: 'such as /dev/ttyUSB0',
            type: 'string',
            pattern: '^/dev/(serial/by-(id|path)/)?[A-Za-z0-9][A-Za-z0-9_:.,+-]{0,127}$',
          },
          baud: { description: 'default 9600', type: 'integer', minimum: 50, maximum: 4_000_000 },
          'data-bits': { description: '7 or 8; default 8', type: 'integer', minimum: 7, maximum: 8 },
          parity: { description: 'default none', type: 'string', enum: ['none', 'even', 'odd'] },
          'stop-bits': { description: '1 or 2; default 1', type: 'integer', minimum: 1, maximum: 2 },
        },
        ['name', 'device'],
      ),
    ),
    camera: {
      description: 'the action snapshot',
      ...section({
        command: {
          description:
            'program and arguments that write one JPEG to standard output; default rpicam-still, libcamera-still or fswebcam',
          type: 'array',
          items: { type: 'string', pattern: '^.{1,512}$' },
          minItems: 1,
          maxItems: MAX_ENTRIES,
        },
        width: { description: 'pixels; default 640', type: 'integer', minimum: 16, maximum: 8_192 },
        height: { description: 'pixels; default 480', type: 'integer', minimum: 16, maximum: 8_192 },
        quality: { description: 'of the JPEG, percent; default 75', type: 'integer', minimum: 1, maximum: 100 },
      }),
    },
    allow: {
      description: 'what administrators of the group may do to the board; default nothing',
      type: 'array',
      items: { type: 'string', enum: ['shutdown', 'reboot'] },
      maxItems: 2,
    },
  }),
};
