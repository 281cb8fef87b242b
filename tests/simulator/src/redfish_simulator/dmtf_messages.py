# SPDX-License-Identifier: GPL-3.0-or-later
"""DMTF's registries: keys and texts of DSP8011, of which here is what is used."""

from __future__ import annotations

from .registry import Message, Registry

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
