/** The configuration of the service, and what stands in it at first. */
export const CONFIG_FILE = '/etc/pipevine/pipevine.yaml';
export const CONFIG_TEMPLATE = `# Configuration of the Pipevine service. Every key is also an option of \`pipevine up\`; \`pipevine help up\` explains them.
# After a change: systemctl restart pipevine
# Secrets belong into pipevine.env beside this file, as PIPEVINE_MQTT_PASSWORD=...

# Show this board as a thing; pins and sensors are named here, too.
board: true

# name: cellar
# listen: tcp://0.0.0.0:7473
# seed: tcp://192.168.1.5:7473
# log-level: info
`;
