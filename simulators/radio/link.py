"""Bumble's virtual link and controller, with the deviations that matter put right.

Found in bumble 0.0.236, against BlueZ 5.66 and against itself:

* ``LocalLink.send_acl_data`` gives the sender's *random* address as the source, so that
  a central which connects from its public address (BlueZ does) is never matched.
* LE Create Connection Cancel is acknowledged, but the pending connection never ends: a
  connect that timed out hangs its host and blocks every later one.
* The controller claims LL Privacy and Extended Advertising but sends only the legacy LE
  Connection Complete. Linux waits 4 s for the enhanced event at each connection.
"""

import asyncio

from bumble import hci
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

_CLAIMED_IN_VAIN = (
    hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
)


class RadioLink(LocalLink):
    """A link on which data carries the address that the connection was made with."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # bumble's has no types

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Deliver data to the controller at the other end."""
        connection = (
            sender_controller.le_connections.get(destination_address)
            if transport == PhysicalTransport.LE
            else None
        )
        if connection is None:
            super().send_acl_data(
                sender_controller, destination_address, transport, data
            )
            return
        destination = self.find_le_controller(destination_address)
        if destination is not None:
            asyncio.get_running_loop().call_soon(
                destination.on_link_acl_data, connection.self_address, transport, data
            )


class RadioController(Controller):
    """A controller whose connections can be cancelled."""

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """End the pending connection (Core specification, volume 4, E, 7.8.13)."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(
                hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
            )
        event = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, event)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def claim_only_what_works(self) -> None:
        """Do not claim the features which Linux would then wait for."""
        self.le_features &= ~_CLAIMED_IN_VAIN
