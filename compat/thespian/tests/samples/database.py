"""The module that the article imports and does not show."""


class DBError(Exception):
    pass


class Connection:
    def runquery(self, query):
        return 1

    def query(self, query):
        return ["ann", "bob", "cid"]


class dbclass:
    @staticmethod
    def connect(*where):
        return Connection()
