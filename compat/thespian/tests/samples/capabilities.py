"""The article's capability samples. Gaps that had to be filled are marked with "gap"."""
from thespian.actors import *
from database import dbclass
from database import DBError  # gap: not imported
import socket
import sys  # gap: the driver's

lcladdr = socket.getaddrinfo(socket.gethostname(), 0, 0, 0, socket.IPPROTO_TCP)  # gap: the protocol stood in the family's place

capabilities = { 'Convention Address.IPv4': '',
                 'System Address.IPv4': lcladdr,
                 'LDAP installed': True, 'LDAP zone': 'Active' }  # gap: the dict was not closed
try:  # gap
    dbconn = dbclass.connect('somewhere')
    if dbconn and 1 == dbconn.runquery('select 1=1'):
        capabilities['Has DB access'] = True
except DBError:
    pass  # gap


@requireCapability('Has DB access')
@requireCapability('LDAP installed')
class DBUpdateFromLDAP(Actor):

    def __init__(self):  # gap
        self.db = dbclass.connect('somewhere')

    def actorSystemCapabilityCheck(capabilities, requirements):
        return capabilities.get('LDAP zone', None) == 'Active'

    def receiveMessage(self, message, sender):
        rows = self.db.query('select * from ...')
        self.send(sender, f'{len(rows)} rows')  # gap


def attempt(system, what):
    try:
        print(f'{what}:', system.ask(system.createActor(DBUpdateFromLDAP), 'update', 10))
    except NoCompatibleSystemForActor as error:
        print(f'{what}:', type(error).__name__)


if __name__ == '__main__':  # gap
    capabilities['Admin Port'] = int(sys.argv[2])
    system = ActorSystem(sys.argv[1], capabilities)
    try:
        attempt(system, 'with everything')
        system.updateCapability('LDAP zone', 'Inactive')
        attempt(system, 'zone gone')
        system.updateCapability('LDAP zone', 'Active')
        system.updateCapability('Has DB access')
        attempt(system, 'no database')
    finally:
        system.shutdown()
