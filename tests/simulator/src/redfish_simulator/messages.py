# SPDX-License-Identifier: GPL-3.0-or-later
"""The message registries of the simulated BMCs: what errors and events are made of.

`Base`, `ResourceEvent`, `TaskEvent` and `HeartbeatEvent` carry keys and texts of the DMTF registries (DSP8011), of
which here is what is used. The vendors' registries are samples in the shape of the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """One entry of a registry: text with %1..%n, severity OK | Warning | Critical, what to do."""

    text: str
    severity: str = "OK"
    resolution: str = "None."

    @property
    def number_of_args(self) -> int:
        """How many of %1..%9 the text has."""
        return sum(1 for n in range(1, 10) if f"%{n}" in self.text)

    def fill(self, args: Sequence[str]) -> str:
        """Put the arguments into the text."""
        text = self.text
        for n in range(len(args), 0, -1):
            text = text.replace(f"%{n}", args[n - 1])
        return text


@dataclass(frozen=True)
class Registry:
    """A message registry: `version` is major.minor.patch."""

    prefix: str
    version: str
    owner: str
    messages: Mapping[str, Message] = field(default_factory=dict)

    def message_id(self, key: str) -> str:
        """`Prefix.Major.Minor.Key`, the form that DSP0266 asks for in events and errors."""
        major_minor = ".".join(self.version.split(".")[:2])
        return f"{self.prefix}.{major_minor}.{key}"

    def resource(self, uri: str) -> dict[str, Any]:
        """The registry as a Redfish resource (MessageRegistry)."""
        return {
            "@odata.id": uri,
            "@odata.type": "#MessageRegistry.v1_6_2.MessageRegistry",
            "Id": f"{self.prefix}.{self.version}",
            "Name": f"{self.prefix} Message Registry",
            "Language": "en",
            "RegistryPrefix": self.prefix,
            "RegistryVersion": self.version,
            "OwningEntity": self.owner,
            "Messages": {
                key: {
                    "Description": f"Reports {key}.",
                    "Message": message.text,
                    "MessageSeverity": message.severity,
                    "NumberOfArgs": message.number_of_args,
                    "ParamTypes": ["string"] * message.number_of_args,
                    "Resolution": message.resolution,
                }
                for key, message in self.messages.items()
            },
        }


_CORRECT = "Correct the request body and resubmit the request."

BASE = Registry(
    "Base",
    "1.19.0",
    "DMTF",
    {
        "Success": Message("The request completed successfully."),
        "Created": Message("The resource was created successfully."),
        "GeneralError": Message(
            "A general error has occurred.  See Resolution for information on how to resolve the error.", "Critical"
        ),
        "InternalError": Message(
            "The request failed due to an internal service error.  The service is still operational.",
            "Critical",
            "Resubmit the request.  If the problem persists, consider resetting the service.",
        ),
        "ResourceNotFound": Message(
            "The requested resource of type %1 named '%2' was not found.",
            "Critical",
            "Provide a valid resource identifier and resubmit the request.",
        ),
        "ActionNotSupported": Message("The action %1 is not supported by the resource.", "Critical"),
        "ActionParameterMissing": Message(
            "The action %1 requires the parameter %2 to be present in the request body.", "Critical", _CORRECT
        ),
        "ActionParameterUnknown": Message(
            "The action %1 was submitted with the invalid parameter %2.", "Warning", _CORRECT
        ),
        "ActionParameterValueTypeError": Message(
            "The value %1 for the parameter %2 in the action %3 is not a type that the parameter can accept.",
            "Warning",
            _CORRECT,
        ),
        "ActionParameterValueNotInList": Message(
            "The value '%1' for the parameter %2 in the action %3 is not in the list of acceptable values.",
            "Warning",
            _CORRECT,
        ),
        "PropertyUnknown": Message(
            "The property %1 is not in the list of valid properties for the resource.",
            "Warning",
            "Remove the unknown property from the request body and resubmit the request if the operation failed.",
        ),
        "PropertyNotWritable": Message(
            "The property %1 is a read-only property and cannot be assigned a value.",
            "Warning",
            "Remove the property from the request body and resubmit the request if the operation failed.",
        ),
        "PropertyNotWritableOrUnknown": Message(
            "The property %1 is a read-only property and cannot be assigned a value, or unknown.",
            "Warning",
            "Remove the property from the request body and resubmit the request if the operation failed.",
        ),
        "PropertyMissing": Message(
            "The property %1 is a required property and must be included in the request.",
            "Warning",
            "Ensure that the property is in the request body and has a valid value and resubmit the request.",
        ),
        "PropertyValueTypeError": Message(
            "The value '%1' for the property %2 is not a type that the property can accept.", "Warning", _CORRECT
        ),
        "PropertyValueFormatError": Message(
            "The value '%1' for the property %2 is not a format that the property can accept.", "Warning", _CORRECT
        ),
        "PropertyValueNotInList": Message(
            "The value '%1' for the property %2 is not in the list of acceptable values.",
            "Warning",
            "Choose a value from the enumeration list and resubmit the request.",
        ),
        "PropertyValueError": Message("The value provided for the property %1 is not valid.", "Warning", _CORRECT),
        "PropertyValueConflict": Message(
            "The property '%1' could not be written because its value conflicts with that of the '%2' property.",
            "Warning",
        ),
        "PropertyValueModified": Message(
            "The property %1 was assigned the value '%2' due to modification by the service.", "Warning"
        ),
        "StringValueTooLong": Message(
            "The string '%1' exceeds the length limit %2.", "Warning", "Resubmit the request with a shorter string."
        ),
        "ResourceAlreadyExists": Message(
            "The requested resource of type %1 with the property %2 with the value '%3' already exists.",
            "Critical",
            "Do not repeat the create operation as the resource has already been created.",
        ),
        "EventSubscriptionLimitExceeded": Message(
            "The event subscription failed due to the number of simultaneous subscriptions exceeding the limit of the "
            "implementation.",
            "Critical",
            "Reduce the number of other subscriptions before trying to establish the event subscription.",
        ),
        "SessionLimitExceeded": Message(
            "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the "
            "implementation.",
            "Critical",
            "Reduce the number of other sessions before trying to establish the session.",
        ),
        "CreateLimitReachedForResource": Message(
            "The create operation failed because the resource has reached the limit of possible resources.", "Critical"
        ),
        "NoValidSession": Message(
            "There is no valid session established with the implementation.",
            "Critical",
            "Establish a session before attempting any operations.",
        ),
        "ResourceAtUriUnauthorized": Message(
            "While accessing the resource at '%1', the service received an authorization error '%2'.", "Critical"
        ),
        "InsufficientPrivilege": Message(
            "There are insufficient privileges for the account or credentials associated with the current session to "
            "perform the requested operation.",
            "Critical",
        ),
        "NoOperation": Message("The request body submitted contain no data to act upon.", "Warning", _CORRECT),
        "MalformedJSON": Message(
            "The request body submitted was malformed JSON and could not be parsed by the receiving service.",
            "Critical",
            "Ensure that the request body is valid JSON and resubmit the request.",
        ),
        "UnrecognizedRequestBody": Message(
            "The service detected a malformed request body that it was unable to interpret.", "Warning", _CORRECT
        ),
        "OperationNotAllowed": Message("The HTTP method is not allowed on this resource.", "Critical"),
        "PreconditionFailed": Message(
            "The ETag supplied did not match the ETag required to change this resource.",
            "Critical",
            "Try the operation again using the appropriate ETag.",
        ),
        "PreconditionRequired": Message(
            "A precondition header or annotation is required to change this resource.", "Critical"
        ),
        "HeaderInvalid": Message("Header %1 is invalid.", "Critical"),
        "QueryNotSupported": Message("Querying is not supported by the implementation.", "Warning"),
        "QueryNotSupportedOnResource": Message("Querying is not supported on the requested resource.", "Warning"),
        "QueryParameterValueFormatError": Message(
            "The value '%1' for the query parameter %2 is not a format that the parameter can accept.", "Warning"
        ),
        "QueryParameterOutOfRange": Message("The value '%1' for the query parameter %2 is out of range %3.", "Warning"),
        "ServiceDisabled": Message("The operation failed because the service at %1 is disabled.", "Warning"),
        "ServiceTemporarilyUnavailable": Message(
            "The service is temporarily unavailable.  Retry in %1 seconds.",
            "Critical",
            "Wait for the indicated retry duration and retry the operation.",
        ),
        "SubscriptionTerminated": Message("The event subscription has been terminated."),
        "EventBufferExceeded": Message(
            "Undelivered events may have been lost due to a lack of buffer space.", "Warning"
        ),
    },
)

RESOURCE_EVENT = Registry(
    "ResourceEvent",
    "1.4.2",
    "DMTF",
    {
        "ResourceCreated": Message("The resource was created successfully."),
        "ResourceRemoved": Message("The resource was removed successfully."),
        "ResourceChanged": Message("One or more resource properties have changed."),
        "ResourceErrorsDetected": Message("The resource property %1 has detected errors of type '%2'.", "Warning"),
        "ResourceErrorsCorrected": Message("The resource property %1 has corrected errors of type '%2'."),
        "ResourceErrorThresholdExceeded": Message(
            "The resource property %1 has exceeded its error threshold.", "Critical"
        ),
        "ResourceStatusChangedOK": Message("The health of resource '%1' has changed to %2."),
        "ResourceStatusChangedWarning": Message("The health of resource '%1' has changed to %2.", "Warning"),
        "ResourceStatusChangedCritical": Message("The health of resource '%1' has changed to %2.", "Critical"),
        "ResourcePoweredOn": Message("The resource '%1' has powered on."),
        "ResourcePoweredOff": Message("The resource '%1' has powered off."),
        "TestMessage": Message("Test message."),
    },
)

TASK_EVENT = Registry(
    "TaskEvent",
    "1.0.4",
    "DMTF",
    {
        "TaskStarted": Message("The task with Id '%1' has started."),
        "TaskProgressChanged": Message("The task with Id '%1' has changed to progress %2 percent complete."),
        "TaskCompletedOK": Message("The task with Id '%1' has completed."),
        "TaskAborted": Message("The task with Id '%1' has completed with errors.", "Critical"),
    },
)

HEARTBEAT_EVENT = Registry(
    "HeartbeatEvent",
    "1.1.0",
    "DMTF",
    {
        "RedfishServiceFunctional": Message("Redfish service is functional."),
        "RedfishServiceStarted": Message("Redfish service has started."),
        "RedfishServiceShuttingDown": Message("Redfish service is shutting down."),
    },
)

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

REGISTRIES: Mapping[str, Registry] = {
    registry.prefix: registry
    for registry in (
        BASE,
        RESOURCE_EVENT,
        TASK_EVENT,
        HEARTBEAT_EVENT,
        OPENBMC,
        IDRAC,
        ILO_EVENTS,
        LENOVO,
        AMI,
        SUPERMICRO,
        HUAWEI,
    )
}
