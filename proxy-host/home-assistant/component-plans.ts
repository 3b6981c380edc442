import { planClimate, planHumidifier, planWaterHeater } from './components/climate.ts';
import { planCover, planValve } from './components/cover.ts';
import { planFan } from './components/fan.ts';
import { planLight } from './components/light.ts';
import { planAlarmControlPanel, planLock } from './components/lock.ts';
import { planLawnMower, planVacuum } from './components/machine.ts';
import { planCamera, planImage, planUpdate } from './components/media.ts';
import { planBinarySensor, planDeviceTracker, planSensor } from './components/sensor.ts';
import { planDate, planDateTime, planNumber, planSelect, planText, planTime } from './components/setting.ts';
import { planSiren, planSwitch } from './components/switch.ts';
import { planButton, planDeviceAutomation, planEvent, planNotify, planScene, planTag } from './components/trigger.ts';
import type { PlanBuilder } from './plan-builder.ts';

/** Every component that is more than its raw state. */
export const COMPONENT_PLANS: ReadonlyMap<string, (builder: PlanBuilder) => void> = new Map([
  ['alarm_control_panel', planAlarmControlPanel],
  ['binary_sensor', planBinarySensor],
  ['button', planButton],
  ['camera', planCamera],
  ['climate', planClimate],
  ['cover', planCover],
  ['date', planDate],
  ['datetime', planDateTime],
  ['device_automation', planDeviceAutomation],
  ['device_tracker', planDeviceTracker],
  ['event', planEvent],
  ['fan', planFan],
  ['humidifier', planHumidifier],
  ['image', planImage],
  ['lawn_mower', planLawnMower],
  ['light', planLight],
  ['lock', planLock],
  ['notify', planNotify],
  ['number', planNumber],
  ['scene', planScene],
  ['select', planSelect],
  ['sensor', planSensor],
  ['siren', planSiren],
  ['switch', planSwitch],
  ['tag', planTag],
  ['text', planText],
  ['time', planTime],
  ['update', planUpdate],
  ['vacuum', planVacuum],
  ['valve', planValve],
  ['water_heater', planWaterHeater],
]);
