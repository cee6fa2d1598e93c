package main

# A scan's findings, whoever made them.
warn contains msg if {
	some finding in input.findings
	finding.rule == "unpinned-dependency"
	msg := sprintf("%s (%s)", [finding.title, finding.location.path])
}

# What a scan stored.
deny contains msg if {
	some component in input.artifacts.bill["sbom.cdx.json"].components
	component.name in input.parameters.forbidden
	msg := sprintf("%s is forbidden", [component.purl])
}
