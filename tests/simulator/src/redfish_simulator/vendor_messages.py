# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples in the shape of the vendors' own registries."""

from __future__ import annotations

from .registry import Message, Registry

# Shapes after openbmc/bmcweb redfish-core/include/registries/openbmc_message_registry.hpp
OPENBMC = Registry(
    "OpenBMC",
    "0.5.0",
    "OpenBMC",
    {
        "PowerSupplyFanFailed": Message("Power supply %1 fan %2 failed.", "Warning"),
        "FanInserted": Message("Fan %1 inserted."),
        "FanRemoved": Message("Fan %1 removed.", "Critical"),
        "MemoryECCCorrectable": Message("Memory ECC correctable error at %1.", "Warning"),
        "SensorThresholdCriticalHighGoingHigh": Message(
            "%1 sensor crossed a critical high threshold going high. Reading=%2 Threshold=%3.", "Critical"
        ),
        "SensorThresholdWarningHighGoingHigh": Message(
            "%1 sensor crossed a warning high threshold going high. Reading=%2 Threshold=%3.", "Warning"
        ),
        "SensorThresholdWarningHighGoingLow": Message(
            "%1 sensor crossed a warning high threshold going low. Reading=%2 Threshold=%3."
        ),
    },
)

# Keys as Dell's Error and Event Messages Reference Guide names them; the registry on an iDRAC is called IDRAC.
IDRAC = Registry(
    "IDRAC",
    "2.9.0",
    "Dell",
    {
        "TMP0118": Message("The system inlet temperature is less than the lower warning threshold.", "Warning"),
        "PSU0003": Message("The power input for power supply %1 is lost.", "Critical"),
        "PSU0017": Message("Power supply %1 is operating normally."),
        "FAN0001": Message("Fan %1 RPM is less than the lower critical threshold.", "Critical"),
        "MEM0701": Message("Correctable memory error rate exceeded for %1.", "Warning"),
        "PDR1016": Message("Drive %1 is removed from disk drive bay %2.", "Critical"),
        "SYS1003": Message("System CPU Resetting."),
        "USR0030": Message("Successfully logged in using %1, from %2 and %3."),
    },
)

# Names as in HPE's iLOEvents registry (ilo-rest-api-docs).
ILO_EVENTS = Registry(
    "iLOEvents",
    "3.6.0",
    "HPE",
    {
        "ServerPoweredOn": Message("Server power restored."),
        "ServerPoweredOff": Message("Server power removed.", "Warning"),
        "ServerPostDiscoveryComplete": Message("Device discovery complete."),
        "PowerSupplyFailed": Message("Power supply in bay %1 has failed.", "Critical"),
        "PowerSupplyOK": Message("Power supply in bay %1 is OK."),
        "FanFailed": Message("Fan in location %1 has failed.", "Critical"),
        "DriveStatusChanged": Message("Drive in %1 changed its status to %2.", "Warning"),
        "ResourceUpdated": Message("The resource %1 was updated."),
    },
)

# Ids as Lenovo's XClarity Controller message list names them (FQXSP + component + number + severity letter).
LENOVO = Registry(
    "EventRegistry",
    "3.2.0",
    "Lenovo",
    {
        "FQXSPPU0004I": Message("%1 on subsystem System Health has transitioned to normal state."),
        "FQXSPPW0005I": Message("%1 has been turned on."),
        "FQXSPPW0031J": Message("Numeric sensor %1 going high (upper non-critical) has asserted.", "Warning"),
        "FQXSPPU0009N": Message("%1 has been configured to use an invalid value.", "Critical"),
        "FQXSPSE4000I": Message("Certificate Authority %1 has detected a %2 Certificate Error.", "Warning"),
    },
)

# Sample: AMI MegaRAC SP-X names its log events by IPMI sensor type [inferred from gofish oem/zt tests].
AMI = Registry(
    "IPMI",
    "1.0.0",
    "AMI",
    {
        "SensorThresholdAsserted": Message("Sensor %1 threshold %2 asserted.", "Warning"),
        "SensorThresholdDeasserted": Message("Sensor %1 threshold %2 deasserted."),
        "PowerUnitFailure": Message("Power unit %1 failed.", "Critical"),
    },
)

SUPERMICRO = Registry(
    "SMC",
    "1.0.0",
    "Supermicro",
    {
        "TestMessage": Message("Test message: %1."),
        "FanFailure": Message("Fan %1 failure.", "Critical"),
        "TemperatureHigh": Message("Temperature %1 is high: %2 C.", "Warning"),
        "SystemPowerOn": Message("System power on."),
    },
)

HUAWEI = Registry(
    "iBMCEvents",
    "5.0.0",
    "Huawei",
    {
        "FanModuleFailure": Message("Fan module %1 failed.", "Critical"),
        "PowerSupplyInputLost": Message("Power supply %1 lost its input.", "Critical"),
        "CPUTemperatureHigh": Message("The temperature of CPU %1 is %2 degrees Celsius.", "Warning"),
    },
)
