// Made by `make dashboards` from dashboards/: change it there.
{
  grafanaDashboards+:: {
    'farm.json': import 'farm.json',
    'campaigns.json': import 'campaigns.json',
    'fleet.json': import 'fleet.json',
    'money.json': import 'money.json',
    'storage.json': import 'storage.json',
    'control-plane.json': import 'control-plane.json',
  },
  prometheusRules+:: std.parseYaml(importstr 'rules/recording.yaml'),
  prometheusAlerts+:: std.parseYaml(importstr 'rules/alerts.yaml'),
}
